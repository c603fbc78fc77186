{#
    The hour up to which int_dns__client_answers_filtered has to read. Keeping all answers to a busy
    client, such as a resolver, would copy half the day for the few that dns_dendro uses. (Grouped
    by hour, because almost every answer has its own client and minute: grouping by minute would
    cost more than the surplus rows of the last hour.)
#}
with answers as (
    {{ rows_of_run(ref('stg_telemetry__dns')) }}
),

results as (
    {{ rows_of_run(ref('stg_landed__dns_results')) }}
),

suspects_answers as (
    select
        ip_dst,
        {{ epoch_hour('unix_tstamp') }} as hour_number,
        y,
        m,
        d
    from answers
    where
        exists (
            select 1
            from results
            where
                results.ip_dst = answers.ip_dst
                and results.run_date = answers.run_date
        )
),

hours as (
    select
        ip_dst,
        hour_number,
        count(*) as total,
        y,
        m,
        d
    from suspects_answers
    group by ip_dst, hour_number, y, m, d
),

added_up as (
    select
        *,
        sum(total) over (
            partition by ip_dst, y, m, d
            order by hour_number nulls last
            rows between unbounded preceding and current row
        ) as total_so_far
    from hours
)

select
    ip_dst,
    min(case when total_so_far >= {{ var('details_limit') }} then hour_number end)
        as last_hour,
    y,
    m,
    d
from added_up
group by ip_dst, y, m, d
