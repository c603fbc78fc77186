with reasons as (
    {{ rows_of_run(ref('int_score_proxy__reasons')) }}
),

{{ score_shares('proxy') }}
