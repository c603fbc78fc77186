with flow_edge as (
    select * from {{ ref('flow_edge') }}
)

select
    tstart,
    srcip,
    dstip,
    sport,
    dport,
    proto,
    flags,
    tos,
    ibyt,
    ipkt,
    cast(input as bigint) as input,
    cast(output as bigint) as output,
    rip,
    obyt,
    opkt,
    hh,
    md as mn,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from flow_edge
