{# The rows that a data test reads: with `where: run_dates` only those of the run's dates. #}
{% macro get_where_subquery(relation) %}
    {% set where = config.get('where', '') %}
    {% if not where %}
        {{ return(relation) }}
    {% endif %}
    {% set condition = spot_oa.in_run_dates() if where == 'run_dates' else where %}
    {{ return('(select * from ' ~ relation ~ ' where ' ~ condition ~ ') dbt_subquery') }}
{% endmacro %}
