{#
    The first build of a partitioned model: creates its table empty, then fills it as in every other
    run. dbt's own `create table as` fails if another run creates the table at the same time, or if
    a killed run has left files.
#}
{% macro spark__create_table_as(temporary, relation, compiled_code, language='sql') %}
    {% if temporary or config.get('partition_by') is none %}
        {{ return(dbt.spark__create_table_as(temporary, relation, compiled_code, language)) }}
    {% endif %}
    {% set rows = relation.incorporate(
        path={'identifier': relation.identifier ~ '__dbt_tmp'}
    ).include(database=false, schema=false) %}
    {% if config.get('contract').enforced %}
        {% do get_assert_columns_equivalent(compiled_code) %}
        {% set compiled_code = get_select_subquery(compiled_code) %}
    {% endif %}
    {% do run_query(create_temporary_view(rows, compiled_code)) %}
    {% set columns = [] %}
    {% for column in adapter.get_columns_in_relation(rows) %}
        {% do columns.append(adapter.quote(column.name) ~ ' ' ~ column.dtype) %}
    {% endfor %}
    {% call statement('make_table') %}
        create table if not exists {{ relation }} ({{ columns | join(', ') }})
        {{ file_format_clause() }}
        {{ options_clause() }}
        {{ partition_cols(label='partitioned by') }}
        {{ comment_clause() }}
    {% endcall %}
    {{ return(dbt_spark_get_incremental_sql(none, rows, relation, none, none, none)) }}
{% endmacro %}
