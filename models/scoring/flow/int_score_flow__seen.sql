with day_groups as (
    {{ rows_of_run(ref('int_score_flow__groups')) }}
),

{{ score_seen('flow') }}
