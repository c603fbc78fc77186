{#
    How a mart replaces the rows of the run's dates: all old rows of these dates are deleted, then
    the new ones are inserted. (Delete and insert by key, or an overwrite of the partitions that
    occur in the new rows, would leave the old rows where a rerun yields none.) With --empty nothing
    is deleted; a model whose `meta` names a variable is cleared only if that is set.

    On DuckDB, in one transaction.
#}
{% macro get_incremental_replace_dates_sql(arg_dict) %}
    {% set target_relation = arg_dict['target_relation'] %}
    {% set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) %}
    {% if spot_oa.replaces_dates() %}
    delete from {{ target_relation }} where {{ spot_oa.in_run_dates() }};
    {% endif %}
    insert into {{ target_relation }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}

{#
    On other engines: the list of statements, one static overwrite per date, each atomic. Only the
    dates and the order of columns are decided here.
#}
{% macro overwrites_by_date(target_relation, dest_columns, source_relation) %}
    {%- set columns = [] -%}
    {%- for column in dest_columns if column.name not in ['y', 'm', 'd'] -%}
        {%- do columns.append(adapter.quote(column.name)) -%}
    {%- endfor -%}
    {%- set statements = [] -%}
    {%- for date in (spot_oa.run_dates() if spot_oa.replaces_dates() else []) -%}
        {%- do statements.append(
            "insert overwrite table " ~ target_relation
            ~ " partition (y = " ~ date.y ~ ", m = " ~ date.m ~ ", d = " ~ date.d ~ ")\n"
            ~ "select " ~ columns | join(', ') ~ "\nfrom " ~ source_relation
            ~ "\nwhere y = " ~ date.y ~ " and m = " ~ date.m ~ " and d = " ~ date.d
        ) -%}
    {%- endfor -%}
    {{ return(statements or ['select 1 as nothing_to_do']) }}
{% endmacro %}

{# Whether the rows of the run's dates are deleted. #}
{% macro replaces_dates() %}
    {% set variable = (config.get('meta') or {}).get('only_with') %}
    {{ return(not flags.EMPTY and (not variable or var(variable))) }}
{% endmacro %}

{# dbt-impala sends the parts between semicolons as separate statements. #}
{% macro impala__get_incremental_default_sql(arg_dict) %}
    {{ return(spot_oa.overwrites_by_date(
        arg_dict['target_relation'], arg_dict['dest_columns'], arg_dict['temp_relation']
    ) | join(';\n')) }}
{% endmacro %}

{# dbt-spark accepts one statement, and its macro for this is not dispatched. #}
{% macro dbt_spark_get_incremental_sql(
    strategy, source, target, existing, unique_key, incremental_predicates
) %}
    {% set statements = spot_oa.overwrites_by_date(
        target, adapter.get_columns_in_relation(target), source
    ) %}
    {% for statement in statements[:-1] %}
        {% do run_query(statement) %}
    {% endfor %}
    {{ return(statements[-1]) }}
{% endmacro %}
