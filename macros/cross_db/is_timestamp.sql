{#
    True if the text is a date and time, the date in any accepted format. Impala's cast yields NULL
    if it is not.
#}
{% macro is_timestamp(text) %}
    {{ return(adapter.dispatch('is_timestamp', 'spot_oa')(spot_oa.dashed_date(text))) }}
{% endmacro %}

{% macro default__is_timestamp(text) %}
    {{ return('cast(' ~ text ~ ' as timestamp) is not null') }}
{% endmacro %}

{% macro duckdb__is_timestamp(text) %}
    {{ return('try_cast(' ~ text ~ ' as timestamp) is not null') }}
{% endmacro %}
