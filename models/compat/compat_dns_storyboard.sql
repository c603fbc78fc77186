with dns_storyboard as (
    select * from {{ ref('dns_storyboard') }}
)

select
    ip_threat,
    dns_threat,
    title,
    text,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from dns_storyboard
