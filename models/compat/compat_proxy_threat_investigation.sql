with proxy_threat_investigation as (
    select * from {{ ref('proxy_threat_investigation') }}
)

select
    tdate,
    fulluri,
    uri_sev,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from proxy_threat_investigation
