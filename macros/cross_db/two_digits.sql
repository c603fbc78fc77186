{# A number from 0 to 99 as text with its leading zero. Impala's lpad does not take numbers. #}
{% macro two_digits(number) %}
    {{ return("lpad(cast(" ~ number ~ " as string), 2, '0')") }}
{% endmacro %}
