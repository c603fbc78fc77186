{#
    Comments must fit into 256 characters after escaping, or Impala's metastore refuses them. They
    are cut before they are escaped: dbt-impala could cut an escape in two.
#}
{% macro impala__truncate_and_escape_comment(comment, max_length=200) %}
    {{ return(
        (comment or '')[:max_length] | replace('\\', '\\\\') | replace("'", "\\'")
        | replace(';', ',') or none
    ) }}
{% endmacro %}

{# Writes only comments that differ: each is a statement, and a mart has dozens. #}
{% macro impala__alter_column_comment(relation, column_dict) %}
    {% set found = {} %}
    {% for column in adapter.get_columns_in_relation(relation) %}
        {% do found.update({column.name: impala__truncate_and_escape_comment(column.comment)}) %}
    {% endfor %}
    {% for name, column in column_dict.items() %}
        {% set wanted = impala__truncate_and_escape_comment(column.get('description')) %}
        {% if wanted and found.get(name) != wanted %}
            {% call statement('comment_' ~ name) %}
                comment on column {{ relation }}.{{ adapter.quote(name) }} is '{{ wanted }}'
            {% endcall %}
        {% endif %}
    {% endfor %}
{% endmacro %}
