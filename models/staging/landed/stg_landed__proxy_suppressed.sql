with proxy_suppressed as (
    select * from {{ source('landed', 'proxy_suppressed') }}
)

select
    rank,
    suppression_id,
    reason,
    author,

    -- slice
    y,
    m,
    d
from proxy_suppressed
