with day_groups as (
    {{ rows_of_run(ref('int_score_dns__groups')) }}
),

seen as (
    {{ rows_of_run(ref('int_score_dns__seen')) }}
),

shares as (
    {{ rows_of_run(ref('int_score_dns__shares')) }}
),

{{ score_profile('dns') }}
