with parts as (
    {{ rows_of_run(ref('int_score_flow__parts'), 'settled = 0') }}
),

shared as (
    select distinct
        case when client < server then client else server end as one,
        case when client < server then server else client end as other,
        port
    from parts
    union distinct
    select distinct
        case when client < server then client else server end as one,
        case when client < server then server else client end as other,
        other_port as port
    from parts
)

select
    port,
    count(*) as pairs,
    {{ score_slice() }}
from shared
group by port
