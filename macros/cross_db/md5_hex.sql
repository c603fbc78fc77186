{# The MD5 of a text as 32 lower-case hexadecimal digits: used as a name, never as a join key. #}
{% macro md5_hex(text) %}
    {{ return('lower(md5(' ~ text ~ '))') }}
{% endmacro %}
