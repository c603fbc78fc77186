with flow_results as (
    select * from {{ source('landed', 'flow_results') }}
)

select
    -- time
    treceived as tstart,
    tryear,
    trmonth,
    trday,
    trhour,
    trminute,

    -- addresses and ports
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

    -- score and rank
    score,
    rank,

    -- slice
    y,
    m,
    d
from flow_results
