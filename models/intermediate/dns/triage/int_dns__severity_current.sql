with results as (
    {{ rows_of_run(ref('stg_landed__dns_results')) }}
),

judgements as (
    {{ rows_of_run(
        ref('stg_landed__dns_labels'),
        "alive = 1 and kind in ('label', 'clear')"
    ) }}
),

rule_hits as (
    {{ rows_of_run(ref('stg_landed__dns_rule_hits')) }}
),

{# A person takes precedence over a rule, then the latest action over the others. #}
judgements_in_line as (
    select
        *,
        row_number() over (
            partition by run_date, rank, target
            order by case when via = 'rule' then 1 else 0 end, action_seq desc
        ) as place_in_line
    from judgements
),

hits_in_line as (
    select
        *,
        row_number() over (partition by run_date, rank order by severity, rule_id) as place_in_line
    from rule_hits
),

by_target as (
    select
        results.rank,
        results.y,
        results.m,
        results.d,
        coalesce(of_client.severity, 0) as ip_sev,
        coalesce(of_query.severity, hits_in_line.severity, 0) as dns_sev,
        of_client.author as client_author,
        of_client.recorded_at as client_recorded_at,
        of_client.via as client_via,
        of_client.rule_id as client_rule_id,
        of_client.note as client_note,
        of_client.action_id as client_action_id,
        of_query.author as query_author,
        of_query.recorded_at as query_recorded_at,
        case
            when of_query.rank is not null then of_query.via
            when hits_in_line.rank is not null then 'rule'
        end as query_via,
        case
            when of_query.rank is not null then of_query.rule_id
            else hits_in_line.rule_id
        end as query_rule_id,
        of_query.note as query_note,
        of_query.action_id as query_action_id
    from results
    left join judgements_in_line as of_client
        on
            results.rank = of_client.rank
            and of_client.target = 'client'
            and of_client.place_in_line = 1
            and results.run_date = of_client.run_date
    left join judgements_in_line as of_query
        on
            results.rank = of_query.rank
            and of_query.target = 'query'
            and of_query.place_in_line = 1
            and results.run_date = of_query.run_date
    left join hits_in_line
        on
            results.rank = hits_in_line.rank
            and hits_in_line.place_in_line = 1
            and results.run_date = hits_in_line.run_date
),

{#
    The name's severity takes precedence over the client's; if both are cleared, the name's clear
    counts.
#}
decided as (
    select
        *,
        case
            when dns_sev > 0 then 'query'
            when ip_sev > 0 then 'client'
            when query_via is not null then 'query'
            else 'client'
        end as decided_by
    from by_target
)

select
    rank,
    ip_sev,
    dns_sev,
    case when dns_sev > 0 then dns_sev else ip_sev end as severity,

    -- who decided, when and why
    coalesce(
        case when decided_by = 'query' then query_author else client_author end, ''
    ) as scored_by,
    {{ second_text(
        "case when decided_by = 'query' then query_recorded_at else client_recorded_at end"
    ) }} as scored_at,
    coalesce(
        case when decided_by = 'query' then query_via else client_via end, ''
    ) as via,
    coalesce(
        case when decided_by = 'query' then query_rule_id else client_rule_id end, ''
    ) as rule_id,
    coalesce(
        case when decided_by = 'query' then query_note else client_note end, ''
    ) as note,
    coalesce(
        case when decided_by = 'query' then query_action_id else client_action_id end, ''
    ) as action_id,

    -- slice
    y,
    m,
    d
from decided
