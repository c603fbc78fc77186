with scores as (
    {{ rows_of_run(ref('dns_scores')) }}
),

results as (
    {{ rows_of_run(ref('stg_landed__dns_results')) }}
),

severity_current as (
    {{ rows_of_run(ref('int_dns__severity_current')) }}
),

suppressions as (
    {{ rows_of_run(ref('stg_landed__dns_suppressed')) }}
),

suppressed as (
    select
        rank,
        run_date,
        min(suppression_id) as suppression_id
    from suppressions
    group by rank, run_date
),

{#
    The scores have no rank, and their rows no key: both sides are sorted in the same order and
    matched by position. For equal rows either rank is correct.
#}
scores_in_order as (
    select
        *,
        row_number() over (
            partition by run_date
            order by
                frame_time, unix_tstamp, frame_len, ip_dst, dns_qry_name, dns_qry_class,
                dns_qry_type, dns_qry_rcode, score
        ) as place
    from scores
),

results_in_order as (
    select
        rank,
        run_date,
        row_number() over (
            partition by run_date
            order by
                frame_time, unix_tstamp, frame_len, ip_dst, dns_qry_name, dns_qry_class,
                dns_qry_type, dns_qry_rcode, score, rank
        ) as place
    from results
),

ranked as (
    select
        scores_in_order.*,
        results_in_order.rank
    from scores_in_order
    inner join results_in_order
        on
            scores_in_order.place = results_in_order.place
            and scores_in_order.run_date = results_in_order.run_date
),

judged as (
    select
        ranked.*,
        severity_current.ip_sev,
        severity_current.dns_sev,
        severity_current.severity,
        severity_current.scored_by,
        severity_current.scored_at,
        severity_current.via,
        severity_current.rule_id,
        severity_current.note,
        severity_current.action_id,
        suppressed.suppression_id,
        case when suppressed.rank is null then 0 else 1 end as suppressed,
        case
            when severity_current.dns_sev = 0 and suppressed.rank is null then 1 else 0
        end as is_open
    from ranked
    inner join severity_current
        on ranked.rank = severity_current.rank and ranked.run_date = severity_current.run_date
    left join suppressed
        on ranked.rank = suppressed.rank and ranked.run_date = suppressed.run_date
)

select
    -- as scored
    cast(frame_time as string) as frame_time,
    cast(unix_tstamp as bigint) as unix_tstamp,
    cast(frame_len as bigint) as frame_len,
    cast(ip_dst as string) as ip_dst,
    cast(dns_qry_name as string) as dns_qry_name,
    cast(dns_qry_class as string) as dns_qry_class,
    cast(dns_qry_type as int) as dns_qry_type,
    cast(dns_qry_rcode as int) as dns_qry_rcode,
    cast(score as double) as score,
    cast(tld as string) as tld,
    cast(query_rep as string) as query_rep,
    cast(hh as int) as hh,
    cast(dns_qry_class_name as string) as dns_qry_class_name,
    cast(dns_qry_type_name as string) as dns_qry_type_name,
    cast(dns_qry_rcode_name as string) as dns_qry_rcode_name,
    cast(network_context as string) as network_context,
    cast(rank as int) as rank,

    -- severities of its client and its name
    cast(ip_sev as int) as ip_sev,
    cast(dns_sev as int) as dns_sev,

    -- current label
    cast(severity as int) as severity,
    cast({{ severity_name('severity') }} as string) as severity_name,
    cast(scored_by as string) as scored_by,
    cast(scored_at as string) as scored_at,
    cast(via as string) as via,
    cast(rule_id as string) as rule_id,
    cast(note as string) as note,
    cast(action_id as string) as action_id,
    cast(is_open as int) as is_open,
    cast(suppressed as int) as suppressed,
    cast(coalesce(suppression_id, '') as string) as suppression_id,
    cast(
        row_number() over (partition by y, m, d order by is_open desc, rank asc) - 1 as int
    ) as sort_order,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from judged
