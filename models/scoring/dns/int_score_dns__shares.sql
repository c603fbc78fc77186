with reasons as (
    {{ rows_of_run(ref('int_score_dns__reasons')) }}
),

{{ score_shares('dns') }}
