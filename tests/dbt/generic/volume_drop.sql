{#
    Warns of each date of the run whose total is 90 % or more below the median of the same weekday
    in the eight weeks before it; a date without rows counts as 0. Does not warn if fewer than three
    such days are known. It is only a warning: a holiday or a network that was shut down is not a
    fault of the run, and withholding the day would help nobody.

    `model` is a small table with a number `total`; its entire history is read. The run shows
    `message` as its warning.
#}
{% test volume_drop(model) %}
{{ config(severity='warn', where='', meta={'show_message': true}) }}
{% set dates = [] %}
{% for date in run_dates() %}
    {% do dates.append(modules.datetime.date(date.y, date.m, date.d)) %}
{% endfor %}
{% if not dates %}
select y from {{ model }} where 1 = 0
{% else %}
with per_day as (
    select
        {{ date_text('y', 'm', 'd') }} as day,
        sum(total) as total
    from {{ model }}
    where y * 10000 + m * 100 + d between
        {{ (dates[0] - modules.datetime.timedelta(weeks=8)).strftime('%Y%m%d') }}
        and {{ dates[-1].strftime('%Y%m%d') }}
    group by y, m, d
),

tested as (
    {% for date in dates %}
    select
        '{{ date }}' as day,
        '{{ date.strftime('%A') }}' as weekday
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

{# The same weekdays before, with their position by total. #}
usual as (
    select
        tested.day,
        per_day.total,
        row_number() over (partition by tested.day order by per_day.total) as place,
        count(*) over (partition by tested.day) as days_known
    from tested
    cross join per_day
    where {{ days_between('per_day.day', 'tested.day') }} in (7, 14, 21, 28, 35, 42, 49, 56)
),

{# The median: the middle value, or the mean of the two middle values. #}
medians as (
    select
        day,
        days_known,
        (min(total) + max(total)) / 2 as median
    from usual
    where days_known >= 3 and place * 2 between days_known and days_known + 2
    group by day, days_known
),

found as (
    select
        tested.*,
        medians.days_known,
        medians.median,
        coalesce(per_day.total, 0) as total
    from tested
    inner join medians on tested.day = medians.day
    left join per_day on tested.day = per_day.day
)

select
    day,
    total,
    median,
    concat(
        day, ' has ', cast(total as string), ' events, where ',
        cast(cast(median as bigint) as string), ' are usual for a ', weekday,
        ' (median of ', cast(days_known as string), ')'
    ) as message
from found
where total * 10 <= median
{% endif %}
{% endtest %}
