with flow as (
    {{ score_telemetry(ref('stg_telemetry__flow')) }}
),

ends as (
    {{ score_flow_ends('flow') }}
)

select
    client,
    server,
    protocol,
    port,
    other_port,
    settled,
    count(*) as events,
    cast(sum(up) as bigint) as up,
    cast(sum(down) as bigint) as down,
    max(tdur) as longest,
    {{ score_slice() }}
from ends
group by client, server, protocol, port, other_port, settled
