with flow_scores as (
    select * from {{ ref('flow_scores') }}
)

select
    tstart,
    srcip,
    dstip,
    sport,
    dport,
    proto,
    ipkt,
    ibyt,
    opkt,
    obyt,
    cast(score as float) as ml_score,
    rank,
    srcip_internal,
    destip_internal as dstip_internal,
    src_geoloc,
    dst_geoloc,
    src_domain,
    dst_domain,
    src_rep,
    dst_rep,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from flow_scores
