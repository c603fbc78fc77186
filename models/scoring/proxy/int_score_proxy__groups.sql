with agents as (
    {{ rows_of_run(ref('int_score_proxy__agents')) }}
)

select
    way,
    e,
    p,
    k,
    cast(sum(events) as bigint) as events,
    cast(sum(up) as bigint) as up,
    cast(sum(down) as bigint) as down,
    max(longest_uri) as longest_uri,
    max(is_address) as is_address,
    {{ score_slice() }}
from agents
group by way, e, p, k
