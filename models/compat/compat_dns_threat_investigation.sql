with dns_threat_investigation as (
    select * from {{ ref('dns_threat_investigation') }}
)

select
    unix_tstamp,
    ip_dst,
    dns_qry_name,
    ip_sev,
    dns_sev,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from dns_threat_investigation
