{#
    Escapes text for a literal. Impala interprets backslash escapes, which dbt-impala does not
    escape; and dbt-impala treats any semicolon as the end of a statement.
#}
{% macro impala__escape_single_quotes(expression) %}
    {{ return(
        expression | replace('\\', '\\\\') | replace("'", "\\'") | replace(';', '\\u003b')
    ) }}
{% endmacro %}
