with flow_chords as (
    select * from {{ ref('flow_chords') }}
)

select
    ip_threat,
    srcip,
    dstip,
    ibyt,
    ipkt,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from flow_chords
