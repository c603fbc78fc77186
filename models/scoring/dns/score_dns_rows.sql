{%- set keys = [
    'frame_time', 'unix_tstamp', 'frame_len', 'ip_dst', 'dns_qry_name', 'dns_qry_class',
    'dns_qry_type', 'dns_qry_rcode',
] -%}
with raw_events as (
    {{ rows_of_run(ref('int_score_dns__events')) }}
),

scored as (
    {{ rows_of_run(ref('int_score_dns__scored')) }}
),

labels as (
    {{ rows_of_run(ref('int_score_dns__labels')) }}
),

parts as (
    {{ rows_of_run(ref('int_score_dns__parts')) }}
),

profile as (
    {{ rows_of_run(ref('score_dns_profile')) }}
),

day_groups as (
    {{ rows_of_run(ref('int_score_dns__groups')) }}
),

{{ score_of_day('dns') }},

{{ score_feedback() }},

events as (
    {{ score_events_with_bits('dns') }}
),

{{ score_rows('dns', 'unix_tstamp', keys, ['e_text', 'p_text', 'k_label']) }}
