{# Rows per INSERT of a seed: Impala plans a VALUES list as one expression per value. #}
{% macro impala__get_batch_size() %}
    {{ return(200) }}
{% endmacro %}
