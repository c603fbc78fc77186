{#
    The dates of a run, as a list of {y, m, d}. They come from the variable `date`, or else from
    `date_from` and `date_to`, both included. (`date` takes precedence: unit tests override it,
    whatever the dates of the build. With `date: null`, date_from and date_to apply.)
#}
{% macro run_dates() %}
    {% if not execute %}
        {{ return([]) }}
    {% endif %}
    {% set first = var('date', none) or var('date_from', none) %}
    {% set last = var('date', none) or var('date_to', none) %}
    {% if first is none or last is none %}
        {% if flags.EMPTY %}
            {{ return([]) }}
        {% endif %}
        {% do exceptions.raise_compiler_error(
            "no date given: pass --vars '{date: 2016-07-08}', or date_from and date_to"
        ) %}
    {% endif %}
    {% set day = modules.datetime.timedelta(days=1) %}
    {% set first = spot_oa.parse_run_date(first) %}
    {% set last = spot_oa.parse_run_date(last) %}
    {% if last < first %}
        {% do exceptions.raise_compiler_error(
            "date_to " ~ last ~ " is before date_from " ~ first ~ ": swap them"
        ) %}
    {% endif %}
    {% set dates = [] %}
    {% for n in range((last - first).days + 1) %}
        {% set date = first + n * day %}
        {% do dates.append({'y': date.year, 'm': date.month, 'd': date.day}) %}
    {% endfor %}
    {{ return(dates) }}
{% endmacro %}


{# Jinja receives `2016-07-08` as a date, `20160708` as an integer, and a quoted value as text. #}
{% macro parse_run_date(value) %}
    {% set digits = (value | string).replace('-', '') %}
    {% if not modules.re.match('^[0-9]{8}$', digits) %}
        {% do exceptions.raise_compiler_error(
            "'" ~ value ~ "' is not a valid date; use 2016-07-08 or 20160708"
        ) %}
    {% endif %}
    {{ return(modules.datetime.datetime.strptime(digits, '%Y%m%d').date()) }}
{% endmacro %}


{#
    True for rows of the run's dates: `(f.y = 2016 and f.m = 7 and f.d = 8)`, with literals, so that
    every engine prunes by it. `alias` is the table's alias; without it the columns are unqualified.
#}
{% macro in_run_dates(alias=none) %}
    {%- set prefix = alias ~ '.' if alias else '' -%}
    {%- set terms = [] -%}
    {%- for date in spot_oa.run_dates() -%}
        {%- do terms.append(
            '(' ~ prefix ~ 'y = ' ~ date.y ~ ' and ' ~ prefix ~ 'm = ' ~ date.m
            ~ ' and ' ~ prefix ~ 'd = ' ~ date.d ~ ')'
        ) -%}
    {%- endfor -%}
    {{ return('(' ~ (terms | join(' or ') if terms else '1 = 0') ~ ')') }}
{% endmacro %}
