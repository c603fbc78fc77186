{#
    `YYYY-MM-DD HH:MM` (UTC) of a minute counted from 1970-01-01, as epoch_minute() counts it;
    for the years 1970 to 9999.
#}
{% macro minute_text(minute) %}
    {{ return(adapter.dispatch('minute_text', 'spot_oa')(minute)) }}
{% endmacro %}

{# In the time zone of the session. #}
{% macro default__minute_text(minute) %}
    {{ return("from_unixtime(" ~ minute ~ " * 60, 'yyyy-MM-dd HH:mm')") }}
{% endmacro %}

{# A flag of the daemon could make from_unixtime() return local time. #}
{% macro impala__minute_text(minute) %}
    {{ return("from_timestamp(unix_micros_to_utc_timestamp(" ~ minute
        ~ " * 60000000), 'yyyy-MM-dd HH:mm')") }}
{% endmacro %}

{% macro duckdb__minute_text(minute) %}
    {{ return("strftime(make_timestamp(" ~ minute ~ " * 60000000), '%Y-%m-%d %H:%M')") }}
{% endmacro %}
