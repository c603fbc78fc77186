with progression as (
    {{ rows_of_run(ref('flow_incident_progression')) }}
),

{# A direction without peers has a row without a context. #}
grouped as (
    select
        ip_threat,
        direction,
        case when context = '' then '' else {{ context_group('context') }}
        end as context_group,
        peers,
        y,
        m,
        d
    from progression
)

select
    -- the anchor, the direction, and its top peers
    cast(ip_threat as string) as ip_threat,
    cast(direction as string) as direction,
    cast(context_group as string) as context_group,
    cast(sum(peers) as bigint) as peers,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from grouped
group by ip_threat, direction, context_group, y, m, d
