with scores as (
    {{ rows_of_run(ref('proxy_scores')) }}
),

results as (
    {{ rows_of_run(ref('stg_landed__proxy_results')) }}
),

severity_current as (
    {{ rows_of_run(ref('int_proxy__severity_current')) }}
),

suppressions as (
    {{ rows_of_run(ref('stg_landed__proxy_suppressed')) }}
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
                tdate, time, clientip, host, reqmethod, useragent, resconttype, duration,
                username, webcat, referer, respcode, uriport, uripath, uriquery, serverip,
                scbytes, csbytes, fulluri, word, ml_score
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
                tdate, time, clientip, host, reqmethod, useragent, resconttype, duration,
                username, webcat, referer, respcode, uriport, uripath, uriquery, serverip,
                scbytes, csbytes, fulluri, word, ml_score, rank
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
        severity_current.uri_sev,
        severity_current.scored_by,
        severity_current.scored_at,
        severity_current.via,
        severity_current.rule_id,
        severity_current.note,
        severity_current.action_id,
        suppressed.suppression_id,
        case when suppressed.rank is null then 0 else 1 end as suppressed,
        case
            when severity_current.uri_sev = 0 and suppressed.rank is null then 1 else 0
        end as is_open
    from ranked
    inner join severity_current
        on ranked.rank = severity_current.rank and ranked.run_date = severity_current.run_date
    left join suppressed
        on ranked.rank = suppressed.rank and ranked.run_date = suppressed.run_date
)

select
    -- as scored
    cast(tdate as string) as tdate,
    cast(time as string) as time,
    cast(clientip as string) as clientip,
    cast(host as string) as host,
    cast(reqmethod as string) as reqmethod,
    cast(useragent as string) as useragent,
    cast(resconttype as string) as resconttype,
    cast(duration as int) as duration,
    cast(username as string) as username,
    cast(webcat as string) as webcat,
    cast(referer as string) as referer,
    cast(respcode as string) as respcode,
    cast(uriport as string) as uriport,
    cast(uripath as string) as uripath,
    cast(uriquery as string) as uriquery,
    cast(serverip as string) as serverip,
    cast(scbytes as bigint) as scbytes,
    cast(csbytes as bigint) as csbytes,
    cast(fulluri as string) as fulluri,
    cast(word as string) as word,
    cast(ml_score as double) as ml_score,
    cast(uri_rep as string) as uri_rep,
    cast(respcode_name as string) as respcode_name,
    cast(network_context as string) as network_context,
    cast(rank as int) as rank,

    -- severity, and hashes of Spot
    cast(uri_sev as int) as uri_sev,
    cast({{ md5_hex('concat(clientip, fulluri)') }} as string) as pair_hash,
    cast(
        concat(
            {{ md5_hex('concat(clientip, fulluri)') }}, regexp_extract(time, '^[^:]*', 0)
        ) as string
    ) as request_hash,

    -- current label
    cast(uri_sev as int) as severity,
    cast({{ severity_name('uri_sev') }} as string) as severity_name,
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
