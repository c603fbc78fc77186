{# A number from its hexadecimal digits, at most seven of them, without 0x; NULL stays NULL. #}
{% macro hex_to_int(digits) %}
    {{ return(adapter.dispatch('hex_to_int', 'spot_oa')(digits)) }}
{% endmacro %}

{% macro default__hex_to_int(digits) %}
    {{ return("cast(conv(" ~ digits ~ ", 16, 10) as int)") }}
{% endmacro %}

{# concat() would convert NULL to text. #}
{% macro duckdb__hex_to_int(digits) %}
    {{ return("cast('0x' || " ~ digits ~ " as int)") }}
{% endmacro %}
