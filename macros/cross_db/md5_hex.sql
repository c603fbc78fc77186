{# The MD5 of a text as 32 lower-case hexadecimal digits: a name, never a key of a join. #}
{% macro md5_hex(text) %}
    {{ return('lower(md5(' ~ text ~ '))') }}
{% endmacro %}
