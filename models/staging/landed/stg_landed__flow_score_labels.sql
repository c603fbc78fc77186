with labels as (
    select * from {{ source('landed', 'flow_score_labels') }}
)

select
    label_no,
    severity,
    author,
    weight,
    row_age,
    is_new_service,
    is_new_peer,
    is_new_to_network,
    known_bad,
    srcip,
    dstip,
    sport,
    dport,
    proto,
    y,
    m,
    d
from labels
