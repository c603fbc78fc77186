with dns_ingest_summary as (
    select * from {{ ref('dns_ingest_summary') }}
)

select
    tdate,
    total,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from dns_ingest_summary
