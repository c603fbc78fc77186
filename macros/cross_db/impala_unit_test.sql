{#
    dbt-impala quotes columns with ", which Impala reads as text: every unit test would compare the
    names of the columns, and pass. Here the columns are in backquotes.
#}
{% macro impala__get_unit_test_sql(main_sql, expected_fixture_sql, expected_column_names) %}
    {%- set columns = expected_column_names | join(', ') | replace('"', '`') -%}
    with dbt_internal_unit_test_actual as (
        select {{ columns }}, 'actual' as actual_or_expected
        from (
            {{ main_sql }}
        ) as given
    ),

    dbt_internal_unit_test_expected as (
        select {{ columns }}, 'expected' as actual_or_expected
        from (
            {{ expected_fixture_sql }}
        ) as wanted
    )

    select * from dbt_internal_unit_test_actual
    union all
    select * from dbt_internal_unit_test_expected
{% endmacro %}
