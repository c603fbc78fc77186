with results as (
    {{ rows_of_run(ref('stg_landed__proxy_results')) }}
),

judgements as (
    {{ rows_of_run(
        ref('stg_landed__proxy_labels'),
        "alive = 1 and target = 'row' and kind in ('label', 'clear')"
    ) }}
),

rule_hits as (
    {{ rows_of_run(ref('stg_landed__proxy_rule_hits')) }}
),

{# A person takes precedence over a rule, then the latest action over the others. #}
judgements_in_line as (
    select
        *,
        row_number() over (
            partition by run_date, rank
            order by case when via = 'rule' then 1 else 0 end, action_seq desc
        ) as place_in_line
    from judgements
),

hits_in_line as (
    select
        *,
        row_number() over (partition by run_date, rank order by severity, rule_id) as place_in_line
    from rule_hits
)

select
    results.rank,
    coalesce(judgements_in_line.severity, hits_in_line.severity, 0) as uri_sev,

    -- who decided, when and why
    coalesce(judgements_in_line.author, '') as scored_by,
    {{ second_text('judgements_in_line.recorded_at') }} as scored_at,
    coalesce(judgements_in_line.via, case when hits_in_line.rank is null then '' else 'rule' end)
        as via,
    case
        when judgements_in_line.rank is null then coalesce(hits_in_line.rule_id, '')
        else coalesce(judgements_in_line.rule_id, '')
    end as rule_id,
    coalesce(judgements_in_line.note, '') as note,
    coalesce(judgements_in_line.action_id, '') as action_id,

    -- slice
    results.y,
    results.m,
    results.d
from results
left join judgements_in_line
    on
        results.rank = judgements_in_line.rank
        and judgements_in_line.place_in_line = 1
        and results.run_date = judgements_in_line.run_date
left join hits_in_line
    on
        results.rank = hits_in_line.rank
        and hits_in_line.place_in_line = 1
        and results.run_date = hits_in_line.run_date
