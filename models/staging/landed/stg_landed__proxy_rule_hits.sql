with proxy_rule_hits as (
    select * from {{ source('landed', 'proxy_rule_hits') }}
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
from proxy_rule_hits
