with telemetry as (
    {{ rows_of_run(ref('stg_telemetry__dns')) }}
),

results as (
    {{ rows_of_run(ref('stg_landed__dns_results')) }}
),

answers as (
    select
        *,
        {{ dns_name_key('dns_qry_name') }} as name_key,
        {{ epoch_hour('unix_tstamp') }} as hour_number
    from telemetry
),

suspects as (
    select
        {{ dns_name_key('dns_qry_name') }} as name_key,
        {{ epoch_hour('unix_tstamp') }} as hour_number,
        run_date
    from results
)

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
where
    exists (
        select 1
        from suspects
        where
            suspects.name_key = answers.name_key
            and suspects.hour_number = answers.hour_number
            and suspects.run_date = answers.run_date
    )
