{#
    Parts of a date as proxies write it, `2016-10-03` or `2016-10-3`, as numbers; NULL where the
    text is no date.
#}
{% macro date_text_year(text) %}
    {{ return(spot_oa.extract_int(text, spot_oa._date_text_pattern(), 1)) }}
{% endmacro %}

{% macro date_text_month(text) %}
    {{ return(spot_oa.extract_int(text, spot_oa._date_text_pattern(), 2)) }}
{% endmacro %}

{% macro date_text_day(text) %}
    {{ return(spot_oa.extract_int(text, spot_oa._date_text_pattern(), 3)) }}
{% endmacro %}

{% macro _date_text_pattern() %}
    {{ return('^([0-9]{4})-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])$') }}
{% endmacro %}
