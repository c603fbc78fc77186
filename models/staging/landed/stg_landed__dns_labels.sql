with dns_labels as (
    select * from {{ source('landed', 'dns_labels') }}
)

select
    rank,
    row_key,
    target,
    action_id,
    action_seq,
    kind,
    severity,
    via,
    rule_id,
    match_kind,
    selector,
    note,
    author,
    recorded_at,
    alive,

    -- slice
    y,
    m,
    d
from dns_labels
