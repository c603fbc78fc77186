with flow_storyboard as (
    select * from {{ ref('flow_storyboard') }}
)

select
    ip_threat,
    title,
    text,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from flow_storyboard
