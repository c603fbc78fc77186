with day_groups as (
    {{ rows_of_run(ref('int_score_proxy__groups')) }}
),

agents as (
    {{ rows_of_run(ref('int_score_proxy__agents')) }}
),

{{ score_seen('proxy', [('eu', 'agent', 'agents')]) }}
