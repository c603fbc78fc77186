{# Converts seconds since 1970-01-01 (UTC) to larger units, and to the hour of the day. #}
{% macro epoch_minute(seconds) %}
    {{ return('cast(floor(' ~ seconds ~ ' / 60) as bigint)') }}
{% endmacro %}

{% macro epoch_hour(seconds) %}
    {{ return('cast(floor(' ~ seconds ~ ' / 3600) as bigint)') }}
{% endmacro %}

{# 0 to 23, also for times before 1970. #}
{% macro utc_hour(seconds) %}
    {{ return('floor(' ~ seconds ~ ' / 3600) - 24 * floor(' ~ seconds ~ ' / 86400)') }}
{% endmacro %}
