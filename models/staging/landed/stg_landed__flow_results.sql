with flow_results as (
    select * from {{ source('landed', 'flow_results') }}
)

select
    -- when
    treceived as tstart,
    tryear,
    trmonth,
    trday,
    trhour,
    trminute,

    -- between whom
    sip as srcip,
    dip as dstip,
    sport,
    dport,
    proto,

    -- what
    ipkt,
    ibyt,
    opkt,
    obyt,

    -- how improbable
    score,
    rank,

    -- slice
    y,
    m,
    d
from flow_results
