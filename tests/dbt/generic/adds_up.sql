{#
    Fails for every date of the run whose totals differ from the number of rows of `telemetry` that
    meet all conditions of `complete`.
#}
{% test adds_up(model, telemetry, complete) %}
with both_sides as (
    select
        y,
        m,
        d,
        -total as missing
    from {{ model }}
    union all
    select
        y,
        m,
        d,
        1 as missing
    from {{ telemetry }}
    where {{ in_run_dates() }} and {{ complete | join(' and ') }}
)

select
    y,
    m,
    d,
    sum(missing) as missing
from both_sides
group by y, m, d
having sum(missing) <> 0
{% endtest %}
