with dns as (
    select * from {{ source('telemetry', 'dns') }}
)

select
    -- when
    frame_time,
    unix_tstamp,

    -- between whom
    ip_src,
    ip_dst,

    -- what
    frame_len,
    dns_qry_name,
    dns_qry_class,
    dns_qry_type,
    dns_qry_rcode,
    dns_a,

    -- slice
    y,
    m,
    d,
    h
from dns
