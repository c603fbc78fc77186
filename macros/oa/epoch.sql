{# Seconds since 1970-01-01 (UTC) in greater units, and the hour of the day that they fall in. #}
{% macro epoch_minute(seconds) %}
    {{ return('cast(floor(' ~ seconds ~ ' / 60) as bigint)') }}
{% endmacro %}

{% macro epoch_hour(seconds) %}
    {{ return('cast(floor(' ~ seconds ~ ' / 3600) as bigint)') }}
{% endmacro %}

{# 0 to 23, also before 1970. #}
{% macro utc_hour(seconds) %}
    {{ return('floor(' ~ seconds ~ ' / 3600) - 24 * floor(' ~ seconds ~ ' / 86400)') }}
{% endmacro %}
