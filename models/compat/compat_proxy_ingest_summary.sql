with proxy_ingest_summary as (
    select * from {{ ref('proxy_ingest_summary') }}
)

select
    tdate,
    total,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from proxy_ingest_summary
