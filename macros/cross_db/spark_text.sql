{# Spark reads escapes in literals too; dbt-spark leaves them as they are. #}
{% macro spark__escape_single_quotes(expression) %}
    {{ return(expression | replace('\\', '\\\\') | replace("'", "\\'")) }}
{% endmacro %}
