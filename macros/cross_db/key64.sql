{#
    A 64-bit join key of a text; never negative where the engine has no unsigned numbers. Another
    engine, or another release of one, can give other keys: the state kept between days contains the
    key of a known text to detect this (score_memory()).
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
