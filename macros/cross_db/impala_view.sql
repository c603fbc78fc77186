{#
    A view is changed in place. dbt's own way, which builds a second one and renames it, takes the
    view away for an instant, and a run of another date may be reading it.
#}
{% materialization view, adapter='impala' %}
    {% set existing = load_cached_relation(this) %}
    {% set target_relation = this.incorporate(type='view') %}
    {{ run_hooks(pre_hooks) }}
    {% if existing is not none and not existing.is_view %}
        {% do adapter.drop_relation(existing) %}
        {% set existing = none %}
    {% endif %}
    {% call statement('main') %}
        {% if existing is none %}
            create view if not exists {{ target_relation }} as
        {% else %}
            alter view {{ target_relation }} as
        {% endif %}
        {{ sql }}
    {% endcall %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
