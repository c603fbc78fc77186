with parts as (
    {{ rows_of_run(ref('int_score_dns__parts'), 'client is not null') }}
),

names as (
    {{ rows_of_run(ref('int_score_dns__names')) }}
),

asked as (
    select distinct
        {{ key64('parts.client') }} as e,
        names.p,
        parts.name
    from parts
    left join names
        on parts.name = names.name
    where names.p is not null
)

select
    e,
    p,
    count(*) as names,
    {{ score_slice() }}
from asked
group by e, p
