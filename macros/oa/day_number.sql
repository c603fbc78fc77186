{# A date's day, counted from 0001-01-01 as day 1 (Python's toordinal), from its parts as numbers. #}
{% macro day_number(year, month, day) %}
    {# The year begins in March here, so that the day of a leap year is its last. #}
    {% set y = '(' ~ year ~ ' - case when ' ~ month ~ ' < 3 then 1 else 0 end)' %}
    {% set m = '(' ~ month ~ ' + case when ' ~ month ~ ' < 3 then 9 else -3 end)' %}
    {{ return("cast(365 * " ~ y ~ " + floor(" ~ y ~ " / 4) - floor(" ~ y ~ " / 100) + floor("
        ~ y ~ " / 400) + floor((153 * " ~ m ~ " + 2) / 5) + " ~ day ~ " - 306 as int)") }}
{% endmacro %}
