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

{{ score_feedback() }},

events as (
    {{ score_events_with_bits('flow') }}
),

{%- set others = ['unix_tstamp', 'e_text', 'p_text', 'protocol', 'k_port'] -%}
{{ score_rows('flow', 'unix_tstamp', keys, others) }}
