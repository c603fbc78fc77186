with story_peers as (
    select * from {{ source('lookups', 'story_peers') }}
)

select
    ip,
    place,
    latitude,
    longitude,
    context,
    is_internal,
    pipeline,
    y,
    m,
    d
from story_peers
