with flow as (
    {{ score_telemetry(ref('stg_telemetry__flow'), 'srcip is not null and dstip is not null') }}
),

ports as (
    {{ rows_of_run(ref('int_score_flow__ports')) }}
),

scored as (
    {{ rows_of_run(ref('int_score_flow__scored')) }}
),

{{ score_top() }},

{{ score_flow_between('top') }},

ends as (
    {{ score_flow_ends('flows_between') }}
),

keyed as (
    {{ score_flow_keyed('ends', 'ports') }}
)

select
    tstart as treceived,
    unix_tstamp,
    tryear,
    trmonth,
    trday,
    trhour,
    trminute,
    trsec,
    cast(tdur as double) as tdur,
    srcip as sip,
    dstip as dip,
    sport,
    dport,
    proto,
    ipkt,
    ibyt,
    opkt,
    obyt,
    e,
    p,
    k,
    e_text,
    p_text,
    protocol,
    k_port,
    bytes_up as sent,
    {{ score_slice() }}
from keyed
where
    exists (
        select 1
        from top
        where top.e = keyed.e and top.p = keyed.p and top.k = keyed.k
    )
