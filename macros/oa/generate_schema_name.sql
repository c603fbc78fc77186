{#
    Models are built in the schema they name (oa, reference, ...), not in one per developer; a
    prefix distinguishes the databases of a shared cluster.
#}
{% macro generate_schema_name(custom_schema_name, node) %}
    {% set prefix = env_var('SPOT_OA_SCHEMA_PREFIX', '') %}
    {{ return(prefix ~ custom_schema_name | trim if custom_schema_name else target.schema) }}
{% endmacro %}
