with reasons as (
    {{ rows_of_run(ref('int_score_proxy__reasons')) }}
),

bits as (
    {{ rows_of_run(ref('int_score_proxy__bits')) }}
),

{{ score_candidates('proxy') }}
