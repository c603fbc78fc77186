with parts as (
    {{ rows_of_run(ref('int_score_flow__parts'), 'client is not null and server is not null') }}
),

ports as (
    {{ rows_of_run(ref('int_score_flow__ports')) }}
),

own as (
    {{ rows_of_run(ref('int_score_flow__own')) }}
),

keyed as (
    {{ score_flow_keyed('parts', 'ports') }}
),

grouped as (
    select
        e,
        p,
        k,
        cast(sum(events) as bigint) as events,
        cast(sum(bytes_up) as bigint) as up,
        cast(sum(bytes_down) as bigint) as down,
        max(longest) as longest
    from keyed
    group by e, p, k
)

select
    {{ score_flow_way('own_client', 'own_server') }} as way,
    grouped.e,
    grouped.p,
    grouped.k,
    grouped.events,
    grouped.up,
    grouped.down,
    grouped.longest,
    {{ score_slice() }}
from grouped
left join own as own_client
    on grouped.e = own_client.address
left join own as own_server
    on grouped.p = own_server.address
