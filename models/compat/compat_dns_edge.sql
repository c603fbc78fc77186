with dns_edge as (
    select * from {{ ref('dns_edge') }}
)

select
    unix_tstamp,
    frame_len,
    ip_dst,
    ip_src,
    dns_qry_name,
    dns_qry_class,
    dns_qry_type,
    dns_qry_rcode,
    dns_a,
    hh,
    dns_qry_class_name,
    dns_qry_type_name,
    dns_qry_rcode_name,
    network_context,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from dns_edge
