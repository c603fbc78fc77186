with proxy_stories as (
    select * from {{ source('landed', 'proxy_stories') }}
)

select
    action_id,
    action_seq,
    anchor_kind,
    anchor,
    title,
    text,
    top_results,
    author,
    recorded_at,
    alive,

    -- slice
    y,
    m,
    d
from proxy_stories
