with dns_dendro as (
    select * from {{ ref('dns_dendro') }}
)

select
    unix_tstamp,
    dns_a,
    dns_qry_name,
    ip_dst,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from dns_dendro
