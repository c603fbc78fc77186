with reputation as (
    select * from {{ source('lookups', 'reputation') }}
)

select
    indicator,
    reputation,
    severity,
    pipeline,
    y,
    m,
    d
from reputation
