with day_groups as (
    {{ rows_of_run(ref('int_score_dns__groups')) }}
),

{{ score_seen('dns') }}
