{#
    Changes a view in place. With dbt's own methods it does not exist for an instant (dbt-impala
    builds a second one and renames it, Spark's `create or replace` drops it), while a run of
    another date can be reading or creating it.
#}
{% macro view_changed_in_place() %}
    {% set existing = load_cached_relation(this) %}
    {% set target_relation = this.incorporate(type='view') %}
    {{ run_hooks(pre_hooks) }}
    {% if existing is not none and not existing.is_view %}
        {% do adapter.drop_relation(existing) %}
        {% set existing = none %}
    {% endif %}
    {% if config.get('contract').enforced %}
        {% do get_assert_columns_equivalent(sql) %}
    {% endif %}
    {% call statement('main') %}
        {% if existing is none %}
            create view if not exists {{ target_relation }}
            {% if target.type == 'spark' %}{{ comment_clause() }}{% endif %} as
        {% else %}
            alter view {{ target_relation }} as
        {% endif %}
        {{ sql }}
    {% endcall %}
    {% if target.type == 'impala' %}
        {% do persist_docs(target_relation, model) %}
    {% endif %}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmacro %}

{% materialization view, adapter='impala' %}
    {{ return(spot_oa.view_changed_in_place()) }}
{% endmaterialization %}

{% materialization view, adapter='spark' %}
    {{ return(spot_oa.view_changed_in_place()) }}
{% endmaterialization %}
