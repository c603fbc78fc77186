{#
    Fails for every key with more rows of the run's dates in the model than in the relation from
    which it is built (a row is duplicated or does not belong there), and for every key with fewer
    rows, unless it `may_lack` rows. With all columns from that relation, this tests the grain of a
    model with duplicate rows.
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
