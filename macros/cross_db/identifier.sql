{# A column whose name is a reserved word of one of the engines; only staging needs this. #}
{% macro identifier(name) %}
    {{ return(adapter.dispatch('identifier', 'spot_oa')(name)) }}
{% endmacro %}

{% macro default__identifier(name) %}
    {{ return('`' ~ name ~ '`') }}
{% endmacro %}

{% macro duckdb__identifier(name) %}
    {{ return('"' ~ name ~ '"') }}
{% endmacro %}
