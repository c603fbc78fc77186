with reputation as (
    select * from {{ source('lookups', 'reputation') }}
)

select
    {{ identifier('indicator') }} as looked_up,
    {{ identifier('indicator_type') }} as looked_up_type,
    reputation,
    severity,
    pipeline,
    y,
    m,
    d
from reputation
