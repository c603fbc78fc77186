{# Bits that earlier labels add to a group or take from it. #}
{% macro score_feedback_sum() %}
    {{ return('cast(0 as double)') }}
{% endmacro %}

{% macro score_feedback_joins(groups) %}{% endmacro %}
