{#
    Fails for every key of which the model has more rows of the run's dates than the relation it is
    made of, that is, if a row is doubled or another one; and for every key of which it has fewer,
    unless it `may_lack` rows. Where `columns` are all that the rows came with, this is the test of
    the grain of a model that keeps equal rows.
#}
{% test same_keys(model, compare, columns, may_lack=false) %}
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
having sum(made) {{ '>' if may_lack else '<>' }} 0
{% endtest %}
