{#
    Fails for every row of the model that belongs to no row of `to` of the run's dates. Each of
    `keys` is an expression over the model and the one over `to` that it equals, or one for both;
    `among` narrows `to`.
#}
{% test belongs_to(model, to, keys, among='1 = 1') %}
{% set matched = {} %}
{% for key in keys %}
    {% do matched.update({'key_' ~ loop.index: [key, key] if key is string else key}) %}
{% endfor %}
with made as (
    select
        {% for name, pair in matched.items() %}{{ pair[0] }} as {{ name }},
        {% endfor %}y,
        m,
        d
    from {{ model }}
),

given as (
    select distinct
        {% for name, pair in matched.items() %}{{ pair[1] }} as {{ name }},
        {% endfor %}y,
        m,
        d
    from {{ to }}
    where {{ in_run_dates() }} and {{ among }}
)

select made.*
from made
where
    not exists (
        select 1
        from given
        where
            {% for name in matched %}given.{{ name }} = made.{{ name }} and
            {% endfor %}{{ same_date('given', 'made') }}
    )
{% endtest %}
