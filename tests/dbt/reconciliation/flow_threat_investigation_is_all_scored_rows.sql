with both_sides as (
    select
        tstart,
        srcip,
        dstip,
        y,
        m,
        d,
        1 as made
    from {{ ref('flow_threat_investigation') }}
    where {{ in_run_dates() }}
    union all
    select
        tstart,
        srcip,
        dstip,
        y,
        m,
        d,
        -1 as made
    from {{ ref('flow_triage') }}
    where severity > 0 and {{ in_run_dates() }}
)

select
    tstart,
    srcip,
    dstip,
    y,
    m,
    d,
    sum(made) as surplus
from both_sides
group by tstart, srcip, dstip, y, m, d
having sum(made) <> 0
