with both_sides as (
    select
        tdate,
        fulluri,
        uri_sev,
        y,
        m,
        d,
        1 as made
    from {{ ref('proxy_threat_investigation') }}
    where {{ in_run_dates() }}
    union all
    select
        tdate,
        fulluri,
        uri_sev,
        y,
        m,
        d,
        -1 as made
    from {{ ref('proxy_triage') }}
    where severity > 0 and {{ in_run_dates() }}
)

select
    tdate,
    fulluri,
    uri_sev,
    y,
    m,
    d,
    sum(made) as surplus
from both_sides
group by tdate, fulluri, uri_sev, y, m, d
having sum(made) <> 0
