{# Of each suspicious name and hour dns_edge holds all raw answers, or as many as the limit lets. #}
with suspects as (
    select distinct
        {{ dns_name_key('dns_qry_name') }} as name_key,
        {{ epoch_hour('unix_tstamp') }} as hour_number,
        y,
        m,
        d
    from {{ ref('stg_landed__dns_results') }}
    where {{ in_run_dates() }}
),

raw as (
    select
        {{ dns_name_key('dns_qry_name') }} as name_key,
        {{ epoch_hour('unix_tstamp') }} as hour_number,
        y,
        m,
        d,
        count(*) as total
    from {{ ref('stg_telemetry__dns') }}
    where {{ in_run_dates() }}
    group by {{ dns_name_key('dns_qry_name') }}, {{ epoch_hour('unix_tstamp') }}, y, m, d
),

made as (
    select
        {{ dns_name_key('dns_qry_name') }} as name_key,
        {{ epoch_hour('unix_tstamp') }} as hour_number,
        y,
        m,
        d,
        count(*) as total
    from {{ ref('dns_edge') }}
    where {{ in_run_dates() }}
    group by {{ dns_name_key('dns_qry_name') }}, {{ epoch_hour('unix_tstamp') }}, y, m, d
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
        and {{ same_date('suspects', 'raw') }}
left join made
    on
        raw.name_key = made.name_key
        and raw.hour_number = made.hour_number
        and {{ same_date('raw', 'made') }}
where least(raw.total, {{ var('details_limit') }}) <> coalesce(made.total, 0)
