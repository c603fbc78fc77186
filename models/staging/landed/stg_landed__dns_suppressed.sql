with dns_suppressed as (
    select * from {{ source('landed', 'dns_suppressed') }}
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
from dns_suppressed
