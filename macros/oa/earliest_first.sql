{#
    Sort keys that put raw events in one fixed order on every engine: by time, then by all columns
    of the raw event as text, in the order in which the telemetry has them; NULL comes last. Columns
    that cannot affect the result are left out: those of the partition, and those after the last
    published one. Only the order of events that look equal is arbitrary.
#}
{% macro earliest_first(time, columns) %}
    {%- set keys = [time ~ ' nulls last'] -%}
    {%- for column in columns -%}
        {%- do keys.append('cast(' ~ column ~ ' as string) nulls last') -%}
    {%- endfor -%}
    {{ return(keys | join(', ')) }}
{% endmacro %}
