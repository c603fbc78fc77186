{# The current stories of the run's dates, for a CTE: one per kind of anchor and anchor. #}
{% macro stories_of_run(relation) %}
    {{ return(spot_oa.rows_of_run(relation, 'alive = 1')) }}
{% endmacro %}

{#
    The group of a peer's context in the impact analysis: one of four kinds if the context contains
    it, ignoring case; else the part before its first dot; `No context` if that is empty. A peer
    without a label already has `No context`.
#}
{% macro context_group(context) %}
    {%- set kinds = [] -%}
    {%- for kind in ['VPN', 'DMZ', 'Proxy', 'FW'] -%}
        {%- do kinds.append(
            "when lower(" ~ context ~ ") like '%" ~ kind | lower ~ "%' then '" ~ kind ~ "'"
        ) -%}
    {%- endfor -%}
    {{ return("case " ~ kinds | join(' ') ~ " when " ~ context
        ~ " like '.%' then 'No context' else split_part(" ~ context ~ ", '.', 1) end") }}
{% endmacro %}

{# The directions of traffic, seen from the anchor, for a CTE. #}
{% macro ways() %}
    {%- for way in ['inbound', 'outbound', 'two_way'] -%}
    select '{{ way }}' as direction
    {% if not loop.last %}union all
    {% endif %}
    {%- endfor -%}
{% endmacro %}
