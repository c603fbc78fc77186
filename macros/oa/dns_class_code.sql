{#
    The number of a DNS class, written `0x00000001`, `0x0001` or `1` by captures. spot-ml's
    `unknown` is -1. NULL where the text is not a class.
#}
{% macro dns_class_code(text) %}
    {%- set digits = "nullif(regexp_extract(lower(" ~ text ~ "), '^0x0*([0-9a-f]{1,4})$', 1), '')" -%}
    {{ return("case when " ~ text ~ " = 'unknown' then -1 else coalesce("
        ~ spot_oa.extract_int(text, '^(-1|[0-9]{1,9})$') ~ ", " ~ spot_oa.hex_to_int(digits)
        ~ ") end") }}
{% endmacro %}
