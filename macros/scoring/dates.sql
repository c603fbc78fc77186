{# The scored date, as columns of a slice. #}
{% macro score_slice() %}
    {%- set date = (spot_oa.run_dates() + [{'y': 0, 'm': 0, 'd': 0}])[0] -%}
    {{ return('cast(' ~ date.y ~ ' as int) as y, cast(' ~ date.m ~ ' as int) as m, cast(' ~ date.d
        ~ ' as int) as d') }}
{% endmacro %}

{#
    Dates before the scored one that have a state, the newest first, within the memory: the variable
    `score_history`.
#}
{% macro score_history() %}
    {% set dates = [] %}
    {% for text in var('score_history', []) | sort(reverse=true) %}
        {% set date = spot_oa.parse_run_date(text) %}
        {% do dates.append({'y': date.year, 'm': date.month, 'd': date.day, 'date': date}) %}
    {% endfor %}
    {{ return(dates) }}
{% endmacro %}

{# True for rows of these dates, each a {y, m, d}. #}
{% macro score_dates_condition(dates) %}
    {% set terms = [] %}
    {% for date in dates %}
        {% do terms.append('(y = ' ~ date.y ~ ' and m = ' ~ date.m ~ ' and d = ' ~ date.d ~ ')') %}
    {% endfor %}
    {{ return('(' ~ (terms | join(' or ') or '1 = 0') ~ ')') }}
{% endmacro %}

{# The rows of a state table for the scored date and its memory, for a CTE. #}
{% macro score_rows_remembered(relation) %}
    select *
    from {{ relation }}
    where {{ spot_oa.score_dates_condition(spot_oa.run_dates() + spot_oa.score_history()) }}
{%- endmacro %}
