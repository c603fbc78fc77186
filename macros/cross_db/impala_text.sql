{# Text for a literal: dbt-impala leaves backslashes as they are, and Impala reads escapes. #}
{% macro impala__escape_single_quotes(expression) %}
    {{ return(expression | replace('\\', '\\\\') | replace("'", "\\'")) }}
{% endmacro %}
