{#
    dbt-impala's temporary tables are ordinary tables. Their names contain the dates, or two runs of
    different dates would write into the same one; a table left by a killed run is dropped.
#}
{% macro impala__make_temp_relation(base_relation, suffix) %}
    {% set dates = [] if model.resource_type == 'unit_test' else spot_oa.run_dates() %}
    {% if dates %}
        {% set first, last = dates | first, dates | last %}
        {% set suffix = suffix ~ '_%d%02d%02d' | format(first.y, first.m, first.d)
            ~ '_%d%02d%02d' | format(last.y, last.m, last.d) %}
    {% endif %}
    {% set relation = base_relation.incorporate(
        path={'identifier': base_relation.identifier ~ suffix}, type='table'
    ) %}
    {% if execute %}
        {% do adapter.drop_relation(relation) %}
    {% endif %}
    {{ return(relation) }}
{% endmacro %}
