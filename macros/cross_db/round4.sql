{#
    A number rounded to four digits, halves up. Sums of doubles differ in their last digit between
    engines, and would then differ in the fourth; the billionth prevents that.
#}
{% macro round4(number) %}
    {{ return("round(" ~ number ~ " + 1e-9, 4)") }}
{% endmacro %}
