{# Spark interprets backslash escapes in literals too; dbt-spark does not escape them. #}
{% macro spark__escape_single_quotes(expression) %}
    {{ return(expression | replace('\\', '\\\\') | replace("'", "\\'")) }}
{% endmacro %}
