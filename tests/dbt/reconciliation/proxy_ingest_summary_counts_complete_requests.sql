{# The totals of a date add up to its complete raw requests. #}
with raw as (
    select
        y,
        m,
        d,
        count(*) as total
    from {{ ref('stg_telemetry__proxy') }}
    where
        {{ in_run_dates() }}
        and not (clientip is null or host is null or fulluri is null)
        and {{ date_text_day('tdate') }} > 0
        and {{ time_text_seconds('time') }} > -1
    group by y, m, d
),

summary as (
    select
        y,
        m,
        d,
        sum(total) as total
    from {{ ref('proxy_ingest_summary') }}
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
