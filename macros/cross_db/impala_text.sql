{#
    Text for a literal. Impala reads escapes, which dbt-impala leaves as they are; and dbt-impala
    takes a semicolon for the end of a statement wherever it stands.
#}
{% macro impala__escape_single_quotes(expression) %}
    {{ return(
        expression | replace('\\', '\\\\') | replace("'", "\\'") | replace(';', '\\u003b')
    ) }}
{% endmacro %}
