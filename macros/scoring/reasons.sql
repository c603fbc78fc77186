{#
    The reasons of a pipeline, in the order of the results: family, the least number that counts,
    whether numbers beyond the maximum of all others add bits, whether they need the memory of
    earlier dates.
#}
{% macro score_reasons(pipeline) %}
    {% set svc = {'name': 'svc', 'family': 'what', 'least': 1} %}
    {% set peer = {'name': 'peer', 'family': 'who', 'least': 1} %}
    {% set newsvc = {'name': 'newsvc', 'family': 'what', 'least': 1, 'memory': true} %}
    {% set newpeer = {'name': 'newpeer', 'family': 'who', 'least': 1, 'memory': true} %}
    {% set newnet = {'name': 'newnet', 'family': 'who', 'least': 1, 'memory': true} %}
    {% set beacon = {'name': 'beacon', 'family': 'often', 'least': 3, 'beyond': true} %}
    {% set up = {'name': 'up', 'family': 'much', 'least': 2, 'beyond': true} %}
    {% set all = [svc, newsvc, peer, newpeer, newnet] %}
    {% set own = {
        'flow': [
            up,
            {'name': 'long', 'family': 'much', 'least': 9, 'beyond': true},
            beacon,
            {'name': 'fan', 'family': 'often', 'least': 1, 'beyond': true},
            {'name': 'ports', 'family': 'often', 'least': 3, 'beyond': true},
            {'name': 'miss', 'family': 'often', 'least': 4, 'beyond': true},
        ],
        'dns': [
            {'name': 'gibr', 'family': 'what', 'least': 1},
            {'name': 'sublen', 'family': 'much', 'least': 5, 'beyond': true},
            {'name': 'frame', 'family': 'much', 'least': 8, 'beyond': true},
            beacon,
            {'name': 'names', 'family': 'often', 'least': 4, 'beyond': true},
            {'name': 'nx', 'family': 'often', 'least': 4, 'beyond': true},
        ],
        'proxy': [
            {'name': 'agent', 'family': 'what', 'least': 1, 'memory': true},
            {'name': 'iplit', 'family': 'what', 'least': 1},
            up,
            {'name': 'urilen', 'family': 'much', 'least': 7, 'beyond': true},
            beacon,
        ],
    } %}
    {{ return(all + own[pipeline]) }}
{% endmacro %}

{# The side of a way: own network, or outside. #}
{% macro score_side(way) %}
    {{ return("case when " ~ way ~ " = 'in' then 'in' else 'own' end") }}
{% endmacro %}

{# Bits of a number that `others` (in millionths) of `units` entity-days show too. #}
{% macro score_surprise(others, units) %}
    {%- set prior = 'cast(' ~ var('score_prior') ~ ' as double)' -%}
    {{ return(spot_oa.round4("least(cast(" ~ var('score_cap') ~ " as double), greatest("
        ~ "cast(0 as double), -ln((cast(" ~ others ~ " as double) / 1000000 + " ~ prior
        ~ ") / (cast(" ~ units ~ " as double) + " ~ prior ~ ")) / ln(cast(2 as double))))")) }}
{% endmacro %}

{# Facts about a group for the texts of its reasons, in addition to the reasons' numbers. #}
{% macro score_facts(pipeline) %}
    {% set own = {
        'flow': ['bytes_up', 'bytes_down', 'longest', 'usual_up', 'fan_peers', 'pair_services', 'misses'],
        'dns': ['longest_frame', 'longest_below', 'pair_names', 'nx_domains'],
        'proxy': ['bytes_up', 'bytes_down', 'longest_uri', 'usual_up', 'agent_entities'],
    } %}
    {% set all = ['gaps', 'gap_seconds', 'entities', 'service_entities', 'peer_entities'] %}
    {{ return(['events'] + own[pipeline] + all) }}
{% endmacro %}
