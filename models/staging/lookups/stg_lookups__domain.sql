with domain as (
    select * from {{ source('lookups', 'domain') }}
)

select
    name,
    registered_domain,
    pipeline,
    y,
    m,
    d
from domain
