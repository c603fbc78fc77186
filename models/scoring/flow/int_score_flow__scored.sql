with candidates as (
    {{ rows_of_run(ref('int_score_flow__candidates')) }}
),

reasons as (
    {{ rows_of_run(ref('int_score_flow__reasons')) }}
),

bits as (
    {{ rows_of_run(ref('int_score_flow__bits')) }}
),

shares as (
    {{ rows_of_run(ref('int_score_flow__shares')) }}
),

{{ score_scored('flow') }}
