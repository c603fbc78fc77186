{%- set keys = [
    'p_date', 'p_time', 'clientip', 'host', 'reqmethod', 'useragent', 'resconttype', 'duration',
    'username', 'webcat', 'referer', 'respcode', 'uriport', 'uripath', 'uriquery', 'serverip',
    'scbytes', 'csbytes', 'fulluri', 'word',
] -%}
with raw_events as (
    {{ rows_of_run(ref('int_score_proxy__events')) }}
),

scored as (
    {{ rows_of_run(ref('int_score_proxy__scored')) }}
),

labels as (
    {{ rows_of_run(ref('int_score_proxy__labels')) }}
),

parts as (
    {{ rows_of_run(ref('int_score_proxy__parts')) }}
),

profile as (
    {{ rows_of_run(ref('score_proxy_profile')) }}
),

day_groups as (
    {{ rows_of_run(ref('int_score_proxy__groups')) }}
),

{{ score_of_day('proxy') }},

{{ score_feedback() }},

joined as (
    {{ score_events_with_bits('proxy') }}
),

events as (
    select
        *,
        concat(
            replace(k_label, ' ', '_'), '_a', cast(agent % 32 as string), '_u',
            cast({{ l2('char_length(fulluri)') }} as string)
        ) as word
    from joined
),

{{ score_rows('proxy', 'unix_tstamp', keys, ['unix_tstamp', 'e_text', 'p_text', 'k_label']) }}
