with stories as (
    {{ stories_of_run(ref('stg_landed__proxy_stories')) }}
)

select
    -- the story
    cast(anchor as string) as p_threat,
    cast(title as string) as title,
    cast(text as string) as text,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from stories
