with network_context as (
    select * from {{ source('lookups', 'network_context') }}
)

select
    ip,
    is_internal,
    label,
    pipeline,
    y,
    m,
    d
from network_context
