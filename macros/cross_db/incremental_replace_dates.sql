{#
    How a mart takes over the rows of the run's dates: the old rows of these dates go, whatever
    they were, the new ones come, in one transaction. (Delete and insert by key would leave
    yesterday's rows standing where a rerun yields none.) Under --empty nothing is cleared.
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
