with dns_results as (
    select * from {{ source('landed', 'dns_results') }}
)

select
    -- when
    frame_time,
    unix_tstamp,

    -- who asked
    ip_dst,

    -- what for, and what came of it
    frame_len,
    dns_qry_name,
    dns_qry_class,
    dns_qry_type,
    dns_qry_rcode,

    -- how improbable
    score,
    rank,

    -- slice
    y,
    m,
    d
from dns_results
