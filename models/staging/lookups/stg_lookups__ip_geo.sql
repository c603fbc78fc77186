with ip_geo as (
    select * from {{ source('lookups', 'ip_geo') }}
)

select
    ip,
    geoloc,
    domain,
    country_code,
    latitude,
    longitude,
    asn,
    as_org,
    pipeline,
    y,
    m,
    d
from ip_geo
