with dns_rule_hits as (
    select * from {{ source('landed', 'dns_rule_hits') }}
)

select
    rank,
    rule_id,
    rule_version,
    severity,
    reason,

    -- slice
    y,
    m,
    d
from dns_rule_hits
