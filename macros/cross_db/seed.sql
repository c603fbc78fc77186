{#
    Loads a seed by one overwrite, and only if its table does not already hold its rows, because
    runs of other dates can be reading it. (dbt would drop the table first.)
#}
{% macro seed_is_loaded(relation, agate_table) %}
    {% set found = run_query(
        'select ' ~ agate_table.column_names | join(', ') ~ ' from ' ~ relation
    ) %}
    {% set old = [] %}
    {% set new = [] %}
    {% for row in found.rows %}{% do old.append(row.values() | map('string') | list) %}{% endfor %}
    {% for row in agate_table.rows %}
        {% do new.append(row.values() | map('string') | list) %}
    {% endfor %}
    {{ return(old | sort == new | sort) }}
{% endmacro %}

{% macro impala__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {{ return('select 1 as nothing_to_do') }}
{% endmacro %}

{% macro impala__load_csv_rows(model, agate_table) %}
    {% if spot_oa.seed_is_loaded(this, agate_table) %}
        {{ return('select 1 as nothing_to_do') }}
    {% endif %}
    {% set types = model['config']['column_types'] %}
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

{# A Hive table, like all tables here; another run can create it at the same time. #}
{% macro spark__create_csv_table(model, agate_table) %}
    {% set columns = [] %}
    {% for column in agate_table.column_names %}
        {% do columns.append(column ~ ' ' ~ model['config']['column_types'][column]) %}
    {% endfor %}
    {% set statement %}
        create table if not exists {{ this }} ({{ columns | join(', ') }})
        {{ comment_clause() }} stored as parquet
    {% endset %}
    {% do run_query(statement) %}
    {{ return(statement) }}
{% endmacro %}

{% macro spark__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {{ return('select 1 as nothing_to_do') }}
{% endmacro %}

{# As literals: PyHive does not apply Spark's escapes. #}
{% macro spark__load_csv_rows(model, agate_table) %}
    {% if spot_oa.seed_is_loaded(this, agate_table) %}
        {{ return('select 1 as nothing_to_do') }}
    {% endif %}
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
    {% set statement = 'insert overwrite table ' ~ this ~ ' values ' ~ rows | join(', ') %}
    {% do adapter.add_query(statement, abridge_sql_log=True) %}
    {{ return(statement) }}
{% endmacro %}
