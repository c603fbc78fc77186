with reasons as (
    {{ rows_of_run(ref('int_score_flow__reasons')) }}
),

bits as (
    {{ rows_of_run(ref('int_score_flow__bits')) }}
),

labels as (
    {{ rows_of_run(ref('int_score_flow__labels')) }}
),

{{ score_candidates('flow') }}
