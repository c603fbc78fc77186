{#
    Of each suspicious URI, client and hour proxy_edge holds all raw requests, or as many as the
    limit lets.
#}
with suspects as (
    select distinct
        fulluri,
        clientip,
        {{ time_text_hour('time') }} as hh,
        y,
        m,
        d
    from {{ ref('stg_landed__proxy_results') }}
    where
        {{ in_run_dates() }}
        and {{ date_text_year('tdate') }} = y
        and {{ date_text_month('tdate') }} = m
        and {{ date_text_day('tdate') }} = d
),

raw as (
    select
        fulluri,
        clientip,
        h as hh,
        y,
        m,
        d,
        count(*) as total
    from {{ ref('stg_telemetry__proxy') }}
    where {{ in_run_dates() }}
    group by fulluri, clientip, h, y, m, d
),

made as (
    select
        fulluri,
        clientip,
        hh,
        y,
        m,
        d,
        count(*) as total
    from {{ ref('proxy_edge') }}
    where {{ in_run_dates() }}
    group by fulluri, clientip, hh, y, m, d
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
        and {{ same_date('suspects', 'raw') }}
left join made
    on
        raw.fulluri = made.fulluri
        and raw.clientip = made.clientip
        and raw.hh = made.hh
        and {{ same_date('raw', 'made') }}
where least(raw.total, {{ var('details_limit') }}) <> coalesce(made.total, 0)
