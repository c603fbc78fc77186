{# A column that bears a reserved word of one of the engines as its name; only staging needs it. #}
{% macro identifier(name) %}
    {{ return(adapter.dispatch('identifier', 'spot_oa')(name)) }}
{% endmacro %}

{% macro default__identifier(name) %}
    {{ return('`' ~ name ~ '`') }}
{% endmacro %}

{% macro duckdb__identifier(name) %}
    {{ return('"' ~ name ~ '"') }}
{% endmacro %}
