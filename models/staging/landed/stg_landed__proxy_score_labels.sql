with labels as (
    select * from {{ source('landed', 'proxy_score_labels') }}
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
    clientip,
    host,
    reqmethod,
    resconttype,
    respcode,
    uriport,
    y,
    m,
    d
from labels
