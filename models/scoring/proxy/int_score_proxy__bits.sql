with profile as (
    {{ score_rows_remembered(ref('score_proxy_profile')) }}
),

shares as (
    {{ rows_of_run(ref('int_score_proxy__shares')) }}
),

{{ score_bits('proxy') }}
