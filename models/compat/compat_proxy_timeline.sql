with proxy_timeline as (
    select * from {{ ref('proxy_timeline') }}
)

select
    p_threat,
    tstart,
    tend,
    duration,
    clientip,
    respcode,
    respcodename,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from proxy_timeline
