with flow_threat_investigation as (
    select * from {{ ref('flow_threat_investigation') }}
)

select
    tstart,
    srcip,
    dstip,
    srcport,
    dstport,
    score,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from flow_threat_investigation
