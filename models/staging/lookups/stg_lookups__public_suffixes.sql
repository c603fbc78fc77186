with public_suffixes as (
    select * from {{ source('lookups', 'public_suffixes') }}
)

select
    pipeline,
    suffix,
    labels,
    registered_labels,
    y,
    m,
    d
from public_suffixes
