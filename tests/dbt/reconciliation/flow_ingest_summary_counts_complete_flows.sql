{#
    The totals of a date add up to its complete raw flows. NULL in one of the summed columns makes
    the sum NULL: that is the independent way to ask for all of them.
#}
with raw as (
    select
        y,
        m,
        d,
        count(
            unix_tstamp + sport + dport + ibyt + ipkt + trmonth + trday + trhour + trminute + trsec
        ) as total
    from {{ ref('stg_telemetry__flow') }}
    where
        {{ in_run_dates() }}
        and srcip is not null
        and dstip is not null
        and {{ is_timestamp('tstart') }}
        and not (tryear <> y or tryear is null)
        and trmonth in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
        and trday > 0
        and trday < 32
        and trhour > -1
        and trhour < 24
        and trminute > -1
        and trminute < 60
        and trsec > -1
        and trsec < 61
    group by y, m, d
),

summary as (
    select
        y,
        m,
        d,
        sum(total) as total
    from {{ ref('flow_ingest_summary') }}
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
