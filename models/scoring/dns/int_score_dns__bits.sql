with profile as (
    {{ score_rows_remembered(ref('score_dns_profile')) }}
),

shares as (
    {{ rows_of_run(ref('int_score_dns__shares')) }}
),

{{ score_bits('dns') }}
