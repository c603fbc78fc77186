{# Every raw flow that matches is in flow_edge as often as in the telemetry; no other flow is. #}
with results as (
    {{ rows_of_run(ref('stg_landed__flow_results')) }}
),

telemetry as (
    {{ rows_of_run(ref('stg_telemetry__flow')) }}
),

edge as (
    {{ rows_of_run(ref('flow_edge')) }}
),

suspects as (
    select distinct
        least(srcip, dstip) as low,
        greatest(srcip, dstip) as high,
        trhour,
        trminute,
        run_date
    from results
    where tryear = y and trmonth = m and trday = d
),

raw as (
    select * from telemetry
    {# least() of NULL and an address is NULL on one engine, the address on another. #}
    where srcip is not null and dstip is not null
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
        raw.run_date,
        1 as kept
    from raw
    inner join suspects
        on
            least(raw.srcip, raw.dstip) = suspects.low
            and greatest(raw.srcip, raw.dstip) = suspects.high
            and raw.h = suspects.trhour
            and raw.trminute = suspects.trminute
            and raw.run_date = suspects.run_date
    union all
    select
        tstart,
        srcip,
        dstip,
        sport,
        dport,
        ibyt,
        hh,
        run_date,
        -1 as kept
    from edge
)

select
    tstart,
    srcip,
    dstip,
    sport,
    dport,
    ibyt,
    hh,
    run_date,
    sum(kept) as missing
from counted
group by tstart, srcip, dstip, sport, dport, ibyt, hh, run_date
having sum(kept) <> 0
