{%- set keys = [
    'treceived', 'tryear', 'trmonth', 'trday', 'trhour', 'trminute', 'trsec', 'tdur', 'sip',
    'dip', 'sport', 'dport', 'proto', 'ipkt', 'ibyt', 'opkt', 'obyt',
] -%}
with raw_events as (
    {{ rows_of_run(ref('int_score_flow__events')) }}
),

scored as (
    {{ rows_of_run(ref('int_score_flow__scored')) }}
),

labels as (
    {{ rows_of_run(ref('int_score_flow__labels')) }}
),

parts as (
    {{ rows_of_run(ref('int_score_flow__parts')) }}
),

profile as (
    {{ rows_of_run(ref('score_flow_profile')) }}
),

day_groups as (
    {{ rows_of_run(ref('int_score_flow__groups')) }}
),

{{ score_of_day('flow') }},

{{ score_feedback() }},

events as (
    {{ score_events_with_bits('flow') }}
),

{%- set others = ['unix_tstamp', 'e_text', 'p_text', 'protocol', 'k_port'] -%}
{{ score_rows('flow', 'unix_tstamp', keys, others) }}
