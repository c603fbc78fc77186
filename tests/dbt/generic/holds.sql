{#
    Fails for every row for which one of the conditions is false: one scan for all of them. NULL
    passes. Reports the number of the first false condition, from 1.
#}
{% test holds(model, conditions) %}
with checked as (
    select * from {{ model }}
)

select
    case
        {% for condition in conditions %}when not ({{ condition }}) then {{ loop.index }}
        {% endfor %}
    end as condition_number,
    checked.*
from checked
where not ({{ conditions | join(') or not (') }})
{% endtest %}
