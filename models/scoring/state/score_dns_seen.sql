select
    kind,
    way,
    e,
    item,
    days,
    y,
    m,
    d
from {{ ref('int_score_dns__seen') }}
where {{ in_run_dates() }}
