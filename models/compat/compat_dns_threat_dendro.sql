with dns_threat_dendro as (
    select * from {{ ref('dns_threat_dendro') }}
)

select
    anchor,
    total,
    dns_qry_name,
    ip_dst,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from dns_threat_dendro
