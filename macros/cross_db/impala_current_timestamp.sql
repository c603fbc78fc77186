{# The time that source freshness is measured against: the daemon's own is in its time zone. #}
{% macro impala__current_timestamp() %}
    {{ return('utc_timestamp()') }}
{% endmacro %}
