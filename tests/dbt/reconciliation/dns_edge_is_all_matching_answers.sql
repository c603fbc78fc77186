{# dns_edge has all raw answers of each suspicious name and hour, up to the limit. #}
with results as (
    {{ rows_of_run(ref('stg_landed__dns_results')) }}
),

telemetry as (
    {{ rows_of_run(ref('stg_telemetry__dns')) }}
),

edge as (
    {{ rows_of_run(ref('dns_edge')) }}
),

suspects as (
    select distinct
        {{ dns_name_key('dns_qry_name') }} as name_key,
        {{ epoch_hour('unix_tstamp') }} as hour_number,
        run_date
    from results
),

raw as (
    select
        {{ dns_name_key('dns_qry_name') }} as name_key,
        {{ epoch_hour('unix_tstamp') }} as hour_number,
        run_date,
        count(*) as total
    from telemetry
    group by {{ dns_name_key('dns_qry_name') }}, {{ epoch_hour('unix_tstamp') }}, run_date
),

made as (
    select
        {{ dns_name_key('dns_qry_name') }} as name_key,
        {{ epoch_hour('unix_tstamp') }} as hour_number,
        run_date,
        count(*) as total
    from edge
    group by {{ dns_name_key('dns_qry_name') }}, {{ epoch_hour('unix_tstamp') }}, run_date
)

select
    raw.name_key,
    raw.hour_number,
    raw.total as raw_total,
    made.total as made_total
from suspects
inner join raw
    on
        suspects.name_key = raw.name_key
        and suspects.hour_number = raw.hour_number
        and suspects.run_date = raw.run_date
left join made
    on
        raw.name_key = made.name_key
        and raw.hour_number = made.hour_number
        and raw.run_date = made.run_date
where least(raw.total, {{ var('details_limit') }}) <> coalesce(made.total, 0)
