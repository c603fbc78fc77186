with candidates as (
    {{ rows_of_run(ref('int_score_dns__candidates')) }}
),

reasons as (
    {{ rows_of_run(ref('int_score_dns__reasons')) }}
),

bits as (
    {{ rows_of_run(ref('int_score_dns__bits')) }}
),

shares as (
    {{ rows_of_run(ref('int_score_dns__shares')) }}
),

{{ score_scored('dns') }}
