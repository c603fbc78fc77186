with reasons as (
    {{ rows_of_run(ref('int_score_proxy__reasons')) }}
),

bits as (
    {{ rows_of_run(ref('int_score_proxy__bits')) }}
),

labels as (
    {{ rows_of_run(ref('int_score_proxy__labels')) }}
),

{{ score_candidates('proxy') }}
