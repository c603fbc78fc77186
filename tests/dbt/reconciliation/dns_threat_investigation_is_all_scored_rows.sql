with both_sides as (
    select
        unix_tstamp,
        ip_dst,
        dns_qry_name,
        y,
        m,
        d,
        1 as made
    from {{ ref('dns_threat_investigation') }}
    where {{ in_run_dates() }}
    union all
    select
        unix_tstamp,
        ip_dst,
        dns_qry_name,
        y,
        m,
        d,
        -1 as made
    from {{ ref('dns_triage') }}
    where severity > 0 and {{ in_run_dates() }}
)

select
    unix_tstamp,
    ip_dst,
    dns_qry_name,
    y,
    m,
    d,
    sum(made) as surplus
from both_sides
group by unix_tstamp, ip_dst, dns_qry_name, y, m, d
having sum(made) <> 0
