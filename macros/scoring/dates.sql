{# The one date that is scored, as columns of a slice. #}
{% macro score_slice() %}
    {%- set date = (spot_oa.run_dates() + [{'y': 0, 'm': 0, 'd': 0}])[0] -%}
    {{ return('cast(' ~ date.y ~ ' as int) as y, cast(' ~ date.m ~ ' as int) as m, cast(' ~ date.d
        ~ ' as int) as d') }}
{% endmacro %}

{#
    Dates before the scored one whose state is there, the newest first, none older than the memory
    reaches: the variable `score_history`.
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

{# Days from the newest date of the memory to the scored one. #}
{% macro score_shift() %}
    {% set dates = spot_oa.run_dates() %}
    {% set history = spot_oa.score_history() %}
    {% if not dates or not history %}
        {{ return(0) }}
    {% endif %}
    {% set date = modules.datetime.date(dates[0].y, dates[0].m, dates[0].d) %}
    {{ return((date - history[0].date).days) }}
{% endmacro %}

{# The rows of a table of state for the scored date and those that it remembers, for a CTE. #}
{% macro score_rows_remembered(relation) %}
    select *
    from {{ relation }}
    where {{ spot_oa.score_dates_condition(spot_oa.run_dates() + spot_oa.score_history()) }}
{%- endmacro %}
