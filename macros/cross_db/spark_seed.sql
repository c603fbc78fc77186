{#
    The rows of a seed, as literals. dbt-spark's own way makes the text 'None' of what is NULL where
    Spark runs in its own process.
#}
{% macro spark__load_csv_rows(model, agate_table) %}
    {% set types = model['config']['column_types'] %}
    {% set rows = [] %}
    {% for row in agate_table.rows %}
        {% set values = [] %}
        {% for column in agate_table.column_names %}
            {% set value = 'null' if row[column] is none
                else "'" ~ dbt.escape_single_quotes(row[column] | string) ~ "'" %}
            {% do values.append('cast(' ~ value ~ ' as ' ~ types[column] ~ ')') %}
        {% endfor %}
        {% do rows.append('(' ~ values | join(', ') ~ ')') %}
    {% endfor %}
    {% set statement = 'insert into ' ~ this ~ ' values ' ~ rows | join(', ') %}
    {% do adapter.add_query(statement, abridge_sql_log=True) %}
    {{ return(statement) }}
{% endmacro %}

{# Spark reads escapes in literals too; dbt-spark leaves them as they are. #}
{% macro spark__escape_single_quotes(expression) %}
    {{ return(expression | replace('\\', '\\\\') | replace("'", "\\'")) }}
{% endmacro %}
