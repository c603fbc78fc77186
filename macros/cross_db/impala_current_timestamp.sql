{# The current time for source freshness, in UTC: the daemon's own clock uses its time zone. #}
{% macro impala__current_timestamp() %}
    {{ return('utc_timestamp()') }}
{% endmacro %}
