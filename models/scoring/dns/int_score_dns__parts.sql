with dns as (
    {{ score_telemetry(ref('stg_telemetry__dns')) }}
),

named as (
    select
        ip_dst as client,
        {{ dns_name_key('dns_qry_name') }} as name,
        {{ score_dns_service('dns_qry_type') }} as service,
        coalesce(frame_len, 0) as frame_len,
        case when dns_qry_rcode = 3 then 1 else 0 end as is_nx
    from dns
)

select
    client,
    name,
    service,
    count(*) as events,
    max(frame_len) as longest_frame,
    cast(sum(is_nx) as bigint) as nx,
    {{ score_slice() }}
from named
group by client, name, service
