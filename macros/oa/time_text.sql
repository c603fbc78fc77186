{#
    Parts of a time of day as proxies write it, `04:57:36`, `8:5:09` or `08:05`, with or without
    fractions of a second, as numbers; NULL where the text is not a time of day.
#}
{% macro time_text_hour(text) %}
    {{ return(spot_oa.extract_int(text, spot_oa._time_text_pattern(), 1)) }}
{% endmacro %}

{% macro time_text_minute(text) %}
    {{ return(spot_oa.extract_int(text, spot_oa._time_text_pattern(), 2)) }}
{% endmacro %}

{# Seconds since midnight, without fractions. #}
{% macro time_text_seconds(text) %}
    {%- set second = spot_oa.extract_int(text, spot_oa._time_text_pattern(), 4) -%}
    {{ return(spot_oa.time_text_hour(text) ~ ' * 3600 + ' ~ spot_oa.time_text_minute(text)
        ~ ' * 60 + coalesce(' ~ second ~ ', 0)') }}
{% endmacro %}

{% macro _time_text_pattern() %}
    {{ return('^([01]?[0-9]|2[0-3]):([0-5]?[0-9])(:([0-5]?[0-9]|60)([.][0-9]*)?)?$') }}
{% endmacro %}
