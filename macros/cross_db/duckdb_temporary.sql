{#
    Provides the rows that an incremental model inserts. dbt-duckdb would write them to a temporary
    table and copy them from there; from a view they go directly into the model's table.
#}
{% macro duckdb__create_table_as(
    temporary, relation, compiled_code, language='sql', partitioned_by=none, sorted_by=none
) %}
    {% if temporary and language == 'sql' and model.resource_type == 'model' %}
        {% if config.get('contract').enforced %}
            {{ get_assert_columns_equivalent(compiled_code) }}
        {% endif %}
        create or replace temporary view {{ relation.include(database=false, schema=false) }} as (
            {{ compiled_code }}
        )
    {% else %}
        {{ dbt.duckdb__create_table_as(
            temporary, relation, compiled_code, language, partitioned_by, sorted_by
        ) }}
    {% endif %}
{% endmacro %}
