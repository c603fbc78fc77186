{#
    A date as the number 20160708. Accepts `2016-07-08` and `2016/07/08`, padded or not, and
    `20160708`; NULL where the text is not a date.
#}
{% macro date_text_number(text) %}
    {%- set dashed = 'replace(' ~ text ~ ", '/', '-')" -%}
    {%- set pattern = '^([0-9]{4})-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])$' -%}
    {%- set digits = '^([0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01]))$' -%}
    {{ return('coalesce(' ~ spot_oa.extract_int(dashed, pattern, 1) ~ ' * 10000 + '
        ~ spot_oa.extract_int(dashed, pattern, 2) ~ ' * 100 + '
        ~ spot_oa.extract_int(dashed, pattern, 3) ~ ', ' ~ spot_oa.extract_int(text, digits, 1)
        ~ ')') }}
{% endmacro %}

{#
    The text of a date and time with its date as `2016-07-08`, from any accepted format; NULL where
    it begins otherwise.
#}
{% macro dashed_date(text) %}
    {{ return("case when " ~ text ~ " like '____-%' then " ~ text ~ " when " ~ text
        ~ " like '____/%' then replace(" ~ text ~ ", '/', '-') when substr(" ~ text
        ~ ", 9, 1) in ('', ' ', 'T') then concat(substr(" ~ text ~ ", 1, 4), '-', substr(" ~ text
        ~ ", 5, 2), '-', substr(" ~ text ~ ", 7)) end") }}
{% endmacro %}
