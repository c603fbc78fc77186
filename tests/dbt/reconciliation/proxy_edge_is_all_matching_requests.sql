{# proxy_edge has all raw requests of each suspicious URI, client and hour, up to the limit. #}
with results as (
    {{ rows_of_run(ref('stg_landed__proxy_results')) }}
),

telemetry as (
    {{ rows_of_run(ref('stg_telemetry__proxy')) }}
),

edge as (
    {{ rows_of_run(ref('proxy_edge')) }}
),

suspects as (
    select distinct
        fulluri,
        clientip,
        {{ time_text_hour('time') }} as hh,
        run_date
    from results
    where {{ date_text_number('tdate') }} = run_date
),

raw as (
    select
        fulluri,
        clientip,
        h as hh,
        run_date,
        count(*) as total
    from telemetry
    group by fulluri, clientip, h, run_date
),

made as (
    select
        fulluri,
        clientip,
        hh,
        run_date,
        count(*) as total
    from edge
    group by fulluri, clientip, hh, run_date
)

select
    raw.fulluri,
    raw.clientip,
    raw.hh,
    raw.total as raw_total,
    made.total as made_total
from suspects
inner join raw
    on
        suspects.fulluri = raw.fulluri
        and suspects.clientip = raw.clientip
        and suspects.hh = raw.hh
        and suspects.run_date = raw.run_date
left join made
    on
        raw.fulluri = made.fulluri
        and raw.clientip = made.clientip
        and raw.hh = made.hh
        and raw.run_date = made.run_date
where least(raw.total, {{ var('details_limit') }}) <> coalesce(made.total, 0)
