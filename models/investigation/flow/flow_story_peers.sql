with traffic as (
    {{ rows_of_run(ref('int_flow__story_traffic')) }}
),

stories as (
    {{ stories_of_run(ref('stg_landed__flow_stories')) }}
),

known as (
    {{ lookups_of('flow', ref('stg_lookups__story_peers')) }}
),

peers as (
    select
        ip_threat,
        peer,
        case
            when min(is_out) <> max(is_out) then 'two_way'
            when max(is_out) = 1 then 'outbound'
            else 'inbound'
        end as direction,
        count(*) as conns,
        max(ibyt) as maxbyts,
        sum(ibyt) as sumbyts,
        min(tstart) as firstseen,
        max(tstart) as lastseen,
        y,
        m,
        d,
        run_date
    from traffic
    group by ip_threat, peer, y, m, d, run_date
),

{# Engines sort NULL differently. #}
ranked as (
    select
        *,
        row_number() over (
            partition by ip_threat, direction, run_date
            order by coalesce(maxbyts, -1) desc, peer asc
        ) as rank_bytes,
        row_number() over (
            partition by ip_threat, direction, run_date
            order by conns desc, peer asc
        ) as rank_conns
    from peers
)

select
    -- the anchor and its peer
    cast(ranked.ip_threat as string) as ip_threat,
    cast(ranked.peer as string) as peer,
    cast(ranked.direction as string) as direction,

    -- their traffic
    cast(ranked.conns as bigint) as conns,
    cast(ranked.maxbyts as bigint) as maxbyts,
    cast(ranked.sumbyts as bigint) as sumbyts,
    cast(ranked.firstseen as string) as firstseen,
    cast(ranked.lastseen as string) as lastseen,

    -- enrichment of the peer
    cast(coalesce(known.place, '') as string) as place,
    cast(known.latitude as double) as latitude,
    cast(known.longitude as double) as longitude,
    cast(coalesce(known.context, '') as string) as context,
    cast(coalesce(known.is_internal, 0) as int) as is_internal,

    -- its rank among the peers of this direction
    cast(ranked.rank_bytes as int) as rank_bytes,
    cast(ranked.rank_conns as int) as rank_conns,
    cast(
        case
            when
                ranked.rank_bytes <= stories.top_results
                or ranked.rank_conns <= stories.top_results
                then 1
            else 0
        end as int
    ) as is_top,

    -- slice
    cast(ranked.y as int) as y,
    cast(ranked.m as int) as m,
    cast(ranked.d as int) as d
from ranked
inner join stories
    on ranked.ip_threat = stories.anchor and ranked.run_date = stories.run_date
left join known
    on ranked.peer = known.ip and ranked.run_date = known.run_date
