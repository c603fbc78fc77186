with ip_geo as (
    select * from {{ source('lookups', 'ip_geo') }}
)

select
    ip,
    geoloc,
    domain,
    pipeline,
    y,
    m,
    d
from ip_geo
