with reasons as (
    {{ rows_of_run(ref('int_score_dns__reasons')) }}
),

bits as (
    {{ rows_of_run(ref('int_score_dns__bits')) }}
),

labels as (
    {{ rows_of_run(ref('int_score_dns__labels')) }}
),

{{ score_candidates('dns') }}
