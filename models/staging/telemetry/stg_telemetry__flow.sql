with flow as (
    select * from {{ source('telemetry', 'flow') }}
)

select
    -- when
    treceived as tstart,
    unix_tstamp,
    tryear,
    trmonth,
    trday,
    trhour,
    trminute,
    trsec,

    -- between whom
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

    -- slice
    y,
    m,
    d,
    h
from flow
