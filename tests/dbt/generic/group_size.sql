{# Fails for every combination of the columns that more than `at_most` rows have. #}
{% test group_size(model, columns, at_most) %}
select
    {{ columns | join(', ') }},
    count(*) as rows_found
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > {{ at_most }}
{% endtest %}
