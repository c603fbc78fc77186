with candidates as (
    {{ rows_of_run(ref('int_score_proxy__candidates')) }}
),

reasons as (
    {{ rows_of_run(ref('int_score_proxy__reasons')) }}
),

bits as (
    {{ rows_of_run(ref('int_score_proxy__bits')) }}
),

shares as (
    {{ rows_of_run(ref('int_score_proxy__shares')) }}
),

{{ score_scored('proxy') }}
