with proxy as (
    {{ score_telemetry(ref('stg_telemetry__proxy')) }}
),

requests as (
    select
        clientip as client,
        {{ score_proxy_host('host') }} as name,
        {{ score_proxy_service('reqmethod', 'resconttype', 'respcode', 'uriport') }} as service,
        coalesce(useragent, '-') as agent,
        coalesce(csbytes, 0) as up,
        coalesce(scbytes, 0) as down,
        char_length(fulluri) as uri_length
    from proxy
)

select
    client,
    name,
    service,
    agent,
    count(*) as events,
    cast(sum(up) as bigint) as up,
    cast(sum(down) as bigint) as down,
    cast(max(uri_length) as bigint) as longest_uri,
    {{ score_slice() }}
from requests
group by client, name, service, agent
