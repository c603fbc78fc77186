{#
    Doublings: 0 for x <= 0, else floor(log2(x + 0.5)) + 1. Where x + 0.5 is a power of two, the
    engines' logarithms differ in the last digit: hence the billionth.
#}
{% macro l2(number) %}
    {{ return("case when " ~ number ~ " > 0 then cast(floor(ln(cast(" ~ number
        ~ " as double) + cast(0.5 as double)) / ln(cast(2 as double)) + 1e-9) as int) + 1 "
        ~ "else 0 end") }}
{% endmacro %}
