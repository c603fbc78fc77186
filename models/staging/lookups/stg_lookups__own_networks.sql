with own_networks as (
    select * from {{ source('lookups', 'own_networks') }}
)

select
    pipeline,
    version,
    first_address,
    last_address,
    y,
    m,
    d
from own_networks
