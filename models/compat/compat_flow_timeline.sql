with flow_timeline as (
    select * from {{ ref('flow_timeline') }}
)

select
    ip_threat,
    tstart,
    tend,
    srcip,
    dstip,
    proto,
    sport,
    dport,
    ipkt,
    ibyt,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from flow_timeline
