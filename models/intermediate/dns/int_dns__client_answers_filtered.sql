with answers as (
    {{ rows_of_run(ref('stg_telemetry__dns')) }}
),

cutoffs as (
    {{ rows_of_run(ref('int_dns__client_cutoffs')) }}
)

{#
    A client has one cutoff, so the join duplicates no answer. DuckDB would evaluate an `exists`
    with an inequality row by row, which takes ten times as long.
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
inner join cutoffs
    on answers.ip_dst = cutoffs.ip_dst and answers.run_date = cutoffs.run_date
where
    cutoffs.last_hour is null
    or answers.unix_tstamp < (cutoffs.last_hour + 1) * 3600
