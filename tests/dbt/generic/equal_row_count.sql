{# Fails if the model has more or fewer rows of the run's dates than the relation it is made of. #}
{% test equal_row_count(model, compare) %}
select
    made.total as rows_made,
    given.total as rows_given
from (select count(*) as total from {{ model }}) as made
cross join (select count(*) as total from {{ compare }} where {{ in_run_dates() }}) as given
where made.total <> given.total
{% endtest %}
