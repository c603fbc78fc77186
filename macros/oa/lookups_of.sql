{#
    The lookups that the enrichment of a pipeline wrote for the run's dates, for a CTE: an address
    can have other lookups in another pipeline. `kind` restricts them to one kind of indicator.
#}
{% macro lookups_of(pipeline, relation, kind=none) %}
    {%- set condition = "pipeline = '" ~ pipeline ~ "'" -%}
    {%- if kind -%}
        {%- set condition = condition ~ " and looked_up_type = '" ~ kind ~ "'" -%}
    {%- endif -%}
    {{ return(spot_oa.rows_of_run(relation, condition)) }}
{% endmacro %}
