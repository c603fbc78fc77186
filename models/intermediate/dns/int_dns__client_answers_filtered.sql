with answers as (
    select * from {{ ref('stg_telemetry__dns') }}
    where {{ in_run_dates() }}
),

clients as (
    select * from {{ ref('int_dns__clients_filtered') }}
    where {{ in_run_dates() }}
)

{#
    Clients are distinct, so a join takes no answer twice. DuckDB would check an `exists` with an
    inequality in it row by row, in ten times the time.
#}
select
    answers.frame_time,
    answers.unix_tstamp,
    answers.frame_len,
    answers.ip_dst,
    answers.ip_src,
    answers.dns_qry_name,
    answers.dns_qry_class,
    answers.dns_qry_type,
    answers.dns_qry_rcode,
    answers.dns_a,
    answers.y,
    answers.m,
    answers.d
from answers
inner join clients
    on answers.ip_dst = clients.ip_dst and {{ same_date('answers', 'clients') }}
where
    clients.last_hour is null
    or answers.unix_tstamp < (clients.last_hour + 1) * 3600
