{#
    A key of 64 bits for joins, of a text; never negative where the engine has no unsigned numbers.
    Another engine, or another release of one, may give others: what is kept between days has one
    of a known text beside it (score_memory()).
#}
{% macro key64(text) %}
    {{ return(adapter.dispatch('key64', 'spot_oa')(text)) }}
{% endmacro %}

{% macro default__key64(text) %}
    {{ return('fnv_hash(' ~ text ~ ')') }}
{% endmacro %}

{% macro spark__key64(text) %}
    {{ return('xxhash64(' ~ text ~ ')') }}
{% endmacro %}

{% macro duckdb__key64(text) %}
    {{ return('cast(hash(' ~ text ~ ') >> 1 as bigint)') }}
{% endmacro %}
