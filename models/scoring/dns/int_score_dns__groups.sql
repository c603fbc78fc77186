with parts as (
    {{ rows_of_run(ref('int_score_dns__parts'), 'client is not null') }}
),

names as (
    {{ rows_of_run(ref('int_score_dns__names')) }}
),

keyed as (
    select
        {{ key64('parts.client') }} as e,
        names.p,
        {{ key64('parts.service') }} as k,
        parts.name,
        parts.events,
        parts.longest_frame,
        parts.nx,
        names.below
    from parts
    left join names
        on parts.name = names.name
    where names.p is not null
)

select
    'out' as way,
    e,
    p,
    k,
    cast(sum(events) as bigint) as events,
    max(longest_frame) as longest_frame,
    cast(max(below) as bigint) as longest_below,
    cast(sum(nx) as bigint) as nx,
    {{ score_slice() }}
from keyed
group by e, p, k
