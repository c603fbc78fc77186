{#
    How a mart takes over the rows of the run's dates: the old rows of these dates go, whatever
    they were, the new ones come. (Delete and insert by key, or an overwrite of the partitions that
    occur in the new rows, would leave yesterday's rows standing where a rerun yields none.) Under
    --empty nothing is cleared, and of a model whose `meta` names a variable only if that is set.

    On DuckDB in one transaction.
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
    Elsewhere by one static overwrite per date, each at once; the list of these statements. Nothing
    but the dates and the order of columns is decided here.
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

{# Whether the rows of the run's dates go. #}
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

{# dbt-spark takes one statement, and has no macro of a dispatched name for it. #}
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
