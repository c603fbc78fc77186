{#
    Fails for every key of which the model has more or fewer rows of the run's dates than the
    relation it is made of, that is, if a row is lost, doubled or another one.
#}
{% test same_keys(model, compare, columns) %}
with counted as (
    select
        {{ columns | join(', ') }},
        1 as made
    from {{ model }}
    union all
    select
        {{ columns | join(', ') }},
        -1 as made
    from {{ compare }}
    where {{ in_run_dates() }}
)

select
    {{ columns | join(', ') }},
    sum(made) as surplus
from counted
group by {{ columns | join(', ') }}
having sum(made) <> 0
{% endtest %}
