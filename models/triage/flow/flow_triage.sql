with scores as (
    {{ rows_of_run(ref('flow_scores')) }}
),

severity_current as (
    {{ rows_of_run(ref('int_flow__severity_current')) }}
),

suppressions as (
    {{ rows_of_run(ref('stg_landed__flow_suppressed')) }}
),

suppressed as (
    select
        rank,
        run_date,
        min(suppression_id) as suppression_id
    from suppressions
    group by rank, run_date
),

judged as (
    select
        scores.*,
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
            when severity_current.severity = 0 and suppressed.rank is null then 1 else 0
        end as is_open
    from scores
    inner join severity_current
        on scores.rank = severity_current.rank and scores.run_date = severity_current.run_date
    left join suppressed
        on scores.rank = suppressed.rank and scores.run_date = suppressed.run_date
)

select
    -- as scored
    cast(tstart as string) as tstart,
    cast(srcip as string) as srcip,
    cast(dstip as string) as dstip,
    cast(sport as int) as sport,
    cast(dport as int) as dport,
    cast(proto as string) as proto,
    cast(ipkt as bigint) as ipkt,
    cast(ibyt as bigint) as ibyt,
    cast(opkt as bigint) as opkt,
    cast(obyt as bigint) as obyt,
    cast(score as double) as score,
    cast(rank as int) as rank,
    cast(srcip_internal as int) as srcip_internal,
    cast(destip_internal as int) as destip_internal,
    cast(src_geoloc as string) as src_geoloc,
    cast(dst_geoloc as string) as dst_geoloc,
    cast(src_domain as string) as src_domain,
    cast(dst_domain as string) as dst_domain,
    cast(src_rep as string) as src_rep,
    cast(dst_rep as string) as dst_rep,

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
