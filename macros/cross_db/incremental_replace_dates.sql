{#
    How a mart takes over the rows of the run's dates: the old rows of these dates go, whatever
    they were, the new ones come. (Delete and insert by key, or an overwrite of the partitions that
    occur in the new rows, would leave yesterday's rows standing where a rerun yields none.) Under
    --empty nothing is cleared.

    On DuckDB in one transaction.
#}
{% macro get_incremental_replace_dates_sql(arg_dict) %}
    {% set target_relation = arg_dict['target_relation'] %}
    {% set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) %}
    {% if not flags.EMPTY %}
    delete from {{ target_relation }} where {{ spot_oa.in_run_dates() }};
    {% endif %}
    insert into {{ target_relation }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}

{#
    On Impala by one static overwrite per date, each at once. (dbt-impala sends what stands between
    semicolons as statements of their own.)
#}
{% macro impala__get_incremental_default_sql(arg_dict) %}
    {%- set columns = [] -%}
    {%- for column in arg_dict['dest_columns'] if column.name not in ['y', 'm', 'd'] -%}
        {%- do columns.append(adapter.quote(column.name)) -%}
    {%- endfor -%}
    {%- set statements = [] -%}
    {%- for date in ([] if flags.EMPTY else spot_oa.run_dates()) -%}
        {%- do statements.append(
            "insert overwrite table " ~ arg_dict['target_relation']
            ~ " partition (y = " ~ date.y ~ ", m = " ~ date.m ~ ", d = " ~ date.d ~ ")\n"
            ~ "select " ~ columns | join(', ') ~ "\nfrom " ~ arg_dict['temp_relation']
            ~ "\nwhere y = " ~ date.y ~ " and m = " ~ date.m ~ " and d = " ~ date.d
        ) -%}
    {%- endfor -%}
    {{ return(statements | join(';\n') or 'select 1 as nothing_to_do') }}
{% endmacro %}
