with day_groups as (
    {{ rows_of_run(ref('int_score_proxy__groups')) }}
),

seen as (
    {{ rows_of_run(ref('int_score_proxy__seen')) }}
),

shares as (
    {{ rows_of_run(ref('int_score_proxy__shares')) }}
),

{{ score_profile('proxy') }}
