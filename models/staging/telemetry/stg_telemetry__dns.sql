with dns as (
    select * from {{ source('telemetry', 'dns') }}
)

select
    -- time
    frame_time,
    unix_tstamp,

    -- addresses and ports
    ip_src,
    ip_dst,

    -- what
    frame_len,
    dns_qry_name,
    dns_qry_class,
    dns_qry_type,
    dns_qry_rcode,
    dns_a,

    -- slice, as integers: the partition keys of a table can be smaller integers, or text
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d,
    cast(h as int) as h
from dns
