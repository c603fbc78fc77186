{#
    Sort keys that put raw events in one fixed order on every engine: by time, then by all columns
    of the raw event as text, in the order in which the telemetry has them; NULL comes last.
    Only equal events are left to chance.
#}
{% macro earliest_first(time, columns) %}
    {%- set keys = [time ~ ' nulls last'] -%}
    {%- for column in columns -%}
        {%- do keys.append('cast(' ~ column ~ ' as string) nulls last') -%}
    {%- endfor -%}
    {{ return(keys | join(', ')) }}
{% endmacro %}
