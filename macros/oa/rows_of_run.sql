{#
    The rows of a relation that belong to the run's dates, for a CTE. Their `run_date` is the date
    as a number, 20160708. Join on it: a CTE without this macro then fails the build instead of
    joining the whole history. In a run of one date it is a literal, so that engines do not compare
    it for every raw row, as they would compare y, m and d.
#}
{% macro rows_of_run(relation, where=none) %}
    {%- set dates = spot_oa.run_dates() -%}
    select
        *,
        {% if dates | length == 1 -%}
        {{ dates[0].y * 10000 + dates[0].m * 100 + dates[0].d }} as run_date
        {%- else -%}
        y * 10000 + m * 100 + d as run_date
        {%- endif %}
    from {{ relation }}
    where {{ spot_oa.in_run_dates() }}{% if where %} and {{ where }}{% endif %}
{% endmacro %}
