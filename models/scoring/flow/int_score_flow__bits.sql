with profile as (
    {{ score_rows_remembered(ref('score_flow_profile')) }}
),

shares as (
    {{ rows_of_run(ref('int_score_flow__shares')) }}
),

{{ score_bits('flow') }}
