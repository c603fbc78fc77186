{# The totals of a date add up to its complete raw answers; NULL in a sum makes it NULL. #}
with raw as (
    select
        y,
        m,
        d,
        count(unix_tstamp + frame_len + dns_qry_type + dns_qry_rcode) as total
    from {{ ref('stg_telemetry__dns') }}
    where
        {{ in_run_dates() }}
        and not (frame_time is null or dns_qry_name is null)
        and not (ip_src is null or dns_qry_class is null)
        and unix_tstamp > -1
        and unix_tstamp < 253402300800
    group by y, m, d
),

summary as (
    select
        y,
        m,
        d,
        sum(total) as total
    from {{ ref('dns_ingest_summary') }}
    where {{ in_run_dates() }}
    group by y, m, d
),

both_sides as (
    select * from raw
    union all
    select
        y,
        m,
        d,
        -total as total
    from summary
)

select
    y,
    m,
    d,
    sum(total) as missing
from both_sides
group by y, m, d
having sum(total) <> 0
