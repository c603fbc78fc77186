{#
    Fails for every row of the model without a matching row of the run's dates in `to`. Each of
    `keys` is an expression over the model and its counterpart over `to`, or one for both; `among`
    restricts `to`.
#}
{% test belongs_to(model, to, keys, among=none) %}
{% set pairs = [] %}
{# While dbt parses, a key that calls a macro is not defined. #}
{% for key in keys if execute %}
    {% do pairs.append([key, key] if key is string else key) %}
{% endfor %}
with of_model as (
    {{ rows_of_run(model) }}
),

of_other as (
    {{ rows_of_run(to, among) }}
),

made as (
    select
        {% for one, _ in pairs %}{{ one }} as key_{{ loop.index }},
        {% endfor %}run_date
    from of_model
),

given as (
    select distinct
        {% for _, other in pairs %}{{ other }} as key_{{ loop.index }},
        {% endfor %}run_date
    from of_other
)

select made.*
from made
where
    not exists (
        select 1
        from given
        where
            {% for _ in pairs %}given.key_{{ loop.index }} = made.key_{{ loop.index }} and
            {% endfor %}given.run_date = made.run_date
    )
{% endtest %}
