with parts as (
    {{ rows_of_run(ref('int_score_proxy__parts'), 'client is not null') }}
),

names as (
    {{ rows_of_run(ref('int_score_proxy__names')) }}
)

select
    'out' as way,
    {{ key64('parts.client') }} as e,
    names.p,
    {{ key64('parts.service') }} as k,
    {{ key64('parts.agent') }} as agent,
    cast(sum(parts.events) as bigint) as events,
    cast(sum(parts.up) as bigint) as up,
    cast(sum(parts.down) as bigint) as down,
    max(parts.longest_uri) as longest_uri,
    max(names.is_address) as is_address,
    {{ score_slice() }}
from parts
left join names
    on parts.name = names.name
where names.p is not null
group by parts.client, names.p, parts.service, parts.agent
