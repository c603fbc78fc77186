with stories as (
    {{ stories_of_run(ref('stg_landed__flow_stories')) }}
),

peers as (
    {{ rows_of_run(ref('flow_story_peers'), 'is_top = 1') }}
),

ways as (
    {{ ways() }}
),

{# A direction without peers has a row too. #}
told as (
    select
        stories.anchor as ip_threat,
        ways.direction,
        case
            when peers.peer is null then ''
            when peers.context = '' then 'No context'
            else peers.context
        end as context,
        peers.peer,
        stories.y,
        stories.m,
        stories.d
    from stories
    cross join ways
    left join peers
        on
            stories.anchor = peers.ip_threat
            and ways.direction = peers.direction
            and stories.run_date = peers.run_date
)

select
    -- the anchor, the direction, and the context
    cast(ip_threat as string) as ip_threat,
    cast(direction as string) as direction,
    cast(context as string) as context,
    cast(count(peer) as bigint) as peers,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from told
group by ip_threat, direction, context, y, m, d
