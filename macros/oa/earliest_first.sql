{#
    Sort keys that put raw events in one fixed order on every engine: by time, then by all columns
    of the raw event as text, in the order in which the telemetry has them; NULL comes last.
    Columns that cannot decide are left out: those of the partition, and those behind the last that
    is published. Only events that look equal are left to chance.
#}
{% macro earliest_first(time, columns) %}
    {%- set keys = [time ~ ' nulls last'] -%}
    {%- for column in columns -%}
        {%- do keys.append('cast(' ~ column ~ ' as string) nulls last') -%}
    {%- endfor -%}
    {{ return(keys | join(', ')) }}
{% endmacro %}
