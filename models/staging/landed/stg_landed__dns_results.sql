with dns_results as (
    select * from {{ source('landed', 'dns_results') }}
)

select
    -- time
    frame_time,
    unix_tstamp,

    -- client
    ip_dst,

    -- query and response
    frame_len,
    dns_qry_name,
    dns_qry_class,
    dns_qry_type,
    dns_qry_rcode,

    -- score and rank
    score,
    rank,

    -- slice
    y,
    m,
    d
from dns_results
