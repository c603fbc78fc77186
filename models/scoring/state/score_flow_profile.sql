with day_groups as (
    {{ rows_of_run(ref('int_score_flow__groups')) }}
),

seen as (
    {{ rows_of_run(ref('int_score_flow__seen')) }}
),

shares as (
    {{ rows_of_run(ref('int_score_flow__shares')) }}
),

{{ score_profile('flow') }}
