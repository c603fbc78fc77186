{#
    A seed is loaded at once, by one overwrite, and only if its table does not hold it already: runs
    of other dates may be reading it.
#}
{% macro impala__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {{ return('select 1 as nothing_to_do') }}
{% endmacro %}

{% macro impala__load_csv_rows(model, agate_table) %}
    {% set types = model['config']['column_types'] %}
    {% set found = run_query('select ' ~ agate_table.column_names | join(', ') ~ ' from ' ~ this) %}
    {% set old = [] %}
    {% set new = [] %}
    {% for row in found.rows %}{% do old.append(row.values() | map('string') | list) %}{% endfor %}
    {% for row in agate_table.rows %}
        {% do new.append(row.values() | map('string') | list) %}
    {% endfor %}
    {% if old | sort == new | sort %}
        {{ return('select 1 as nothing_to_do') }}
    {% endif %}
    {% set bindings = [] %}
    {% set rows = [] %}
    {% for row in agate_table.rows %}
        {% do bindings.extend(row) %}
        {% set values = [] %}
        {% for column in agate_table.column_names %}
            {% do values.append('cast(' ~ get_binding_char() ~ ' as ' ~ types[column] ~ ')') %}
        {% endfor %}
        {% do rows.append('(' ~ values | join(', ') ~ ')') %}
    {% endfor %}
    {% set statement = 'insert overwrite table ' ~ this ~ ' values ' ~ rows | join(', ') %}
    {% do adapter.add_query(statement, bindings=bindings, abridge_sql_log=True) %}
    {{ return(statement) }}
{% endmacro %}
