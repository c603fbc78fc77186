with dns_scores as (
    select * from {{ ref('dns_scores') }}
)

select
    frame_time,
    unix_tstamp,
    frame_len,
    ip_dst,
    dns_qry_name,
    dns_qry_class,
    dns_qry_type,
    dns_qry_rcode,
    cast(score as float) as ml_score,
    tld,
    query_rep,
    hh,
    dns_qry_class_name,
    dns_qry_type_name,
    dns_qry_rcode_name,
    network_context,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from dns_scores
