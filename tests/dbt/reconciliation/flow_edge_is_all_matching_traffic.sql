{# Every raw flow stands in flow_edge as often as in the telemetry if it matches, else never. #}
with suspects as (
    select distinct
        least(srcip, dstip) as low,
        greatest(srcip, dstip) as high,
        trhour,
        trminute,
        y,
        m,
        d
    from {{ ref('stg_landed__flow_results') }}
    where {{ in_run_dates() }} and tryear = y and trmonth = m and trday = d
),

raw as (
    select * from {{ ref('stg_telemetry__flow') }}
    where
        {{ in_run_dates() }}
        {# Of NULL and an address least() is NULL on one engine, the address on another. #}
        and srcip is not null
        and dstip is not null
),

counted as (
    select
        raw.tstart,
        raw.srcip,
        raw.dstip,
        raw.sport,
        raw.dport,
        raw.ibyt,
        raw.h as hh,
        raw.y,
        raw.m,
        raw.d,
        1 as kept
    from raw
    inner join suspects
        on
            least(raw.srcip, raw.dstip) = suspects.low
            and greatest(raw.srcip, raw.dstip) = suspects.high
            and raw.h = suspects.trhour
            and raw.trminute = suspects.trminute
            and {{ same_date('raw', 'suspects') }}
    union all
    select
        tstart,
        srcip,
        dstip,
        sport,
        dport,
        ibyt,
        hh,
        y,
        m,
        d,
        -1 as kept
    from {{ ref('flow_edge') }}
    where {{ in_run_dates() }}
)

select
    tstart,
    srcip,
    dstip,
    sport,
    dport,
    ibyt,
    hh,
    y,
    m,
    d,
    sum(kept) as missing
from counted
group by tstart, srcip, dstip, sport, dport, ibyt, hh, y, m, d
having sum(kept) <> 0
