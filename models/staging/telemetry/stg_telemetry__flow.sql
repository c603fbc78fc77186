with flow as (
    select * from {{ source('telemetry', 'flow') }}
)

select
    -- time
    treceived as tstart,
    unix_tstamp,
    tryear,
    trmonth,
    trday,
    trhour,
    trminute,
    trsec,
    tdur,

    -- addresses and ports
    sip as srcip,
    dip as dstip,
    sport,
    dport,
    proto,

    -- what
    flag as flags,
    stos as tos,
    ipkt,
    ibyt,
    opkt,
    obyt,
    input,
    output,
    rip,

    -- slice, as integers: the partition keys of a table can be smaller integers, or text
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d,
    cast(h as int) as h
from flow
