{# Number of days from one date to a later one, both as text, `2016-07-08`. #}
{% macro days_between(earlier, later) %}
    {{ return(adapter.dispatch('days_between', 'spot_oa')(earlier, later)) }}
{% endmacro %}

{% macro default__days_between(earlier, later) %}
    {{ return('datediff(cast(' ~ later ~ ' as timestamp), cast(' ~ earlier ~ ' as timestamp))') }}
{% endmacro %}

{% macro duckdb__days_between(earlier, later) %}
    {{ return("date_diff('day', cast(" ~ earlier ~ " as date), cast(" ~ later ~ " as date))") }}
{% endmacro %}
