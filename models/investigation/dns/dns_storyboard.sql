with stories as (
    {{ stories_of_run(ref('stg_landed__dns_stories')) }}
)

select
    -- the story: of a client or of a name
    cast(case when anchor_kind = 'client' then anchor else '' end as string) as ip_threat,
    cast(case when anchor_kind = 'query' then anchor else '' end as string) as dns_threat,
    cast(title as string) as title,
    cast(text as string) as text,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from stories
