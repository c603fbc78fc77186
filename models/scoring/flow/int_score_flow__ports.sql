with parts as (
    {{ rows_of_run(ref('int_score_flow__parts'), 'settled = 0') }}
),

shared as (
    select distinct
        case when client < server then client else server end as lower_end,
        case when client < server then server else client end as upper_end,
        port
    from parts
    union distinct
    select distinct
        case when client < server then client else server end as lower_end,
        case when client < server then server else client end as upper_end,
        other_port as port
    from parts
)

select
    port,
    count(*) as pairs,
    {{ score_slice() }}
from shared
group by port
