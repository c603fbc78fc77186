with flow_rule_hits as (
    select * from {{ source('landed', 'flow_rule_hits') }}
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
from flow_rule_hits
