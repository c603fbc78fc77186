with proxy_storyboard as (
    select * from {{ ref('proxy_storyboard') }}
)

select
    p_threat,
    title,
    text,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from proxy_storyboard
