with flow_suppressed as (
    select * from {{ source('landed', 'flow_suppressed') }}
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
from flow_suppressed
