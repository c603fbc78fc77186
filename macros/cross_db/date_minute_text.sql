{# A number from 0 to 99 as text with its leading zero. Impala's lpad does not take numbers. #}
{% macro two_digits(number) %}
    {{ return("lpad(cast(" ~ number ~ " as string), 2, '0')") }}
{% endmacro %}

{# `YYYY-MM-DD` of its parts as numbers. #}
{% macro date_text(year, month, day) %}
    {{ return("concat(cast(" ~ year ~ " as string), '-', " ~ spot_oa.two_digits(month)
        ~ ", '-', " ~ spot_oa.two_digits(day) ~ ")") }}
{% endmacro %}

{# `YYYY-MM-DD HH:MM` of its parts as numbers. #}
{% macro date_minute_text(year, month, day, hour, minute) %}
    {{ return("concat(" ~ spot_oa.date_text(year, month, day) ~ ", ' ', "
        ~ spot_oa.two_digits(hour) ~ ", ':', " ~ spot_oa.two_digits(minute) ~ ")") }}
{% endmacro %}
