with labels as (
    select * from {{ source('landed', 'dns_score_labels') }}
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
    ip_dst,
    dns_qry_name,
    dns_qry_type,
    y,
    m,
    d
from labels
