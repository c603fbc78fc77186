with reasons as (
    {{ rows_of_run(ref('int_score_flow__reasons')) }}
),

{{ score_shares('flow') }}
