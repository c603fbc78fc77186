with stories as (
    {{ stories_of_run(ref('stg_landed__flow_stories')) }}
),

traffic as (
    {{ rows_of_run(ref('int_flow__story_traffic')) }}
),

peers as (
    {{ rows_of_run(ref('flow_story_peers')) }}
),

triage as (
    {{ rows_of_run(ref('flow_triage'), 'severity > 0') }}
),

{# A scored row counts once for each of its ends. #}
scored_ends as (
    select
        srcip as ip,
        run_date
    from triage
    union all
    select
        dstip as ip,
        run_date
    from triage
    where dstip <> srcip
),

scored as (
    select
        ip,
        run_date,
        count(*) as scored_rows
    from scored_ends
    group by ip, run_date
),

counted as (
    select
        ip_threat,
        run_date,
        sum(case when direction = 'inbound' then 1 else 0 end) as inbound,
        sum(case when direction = 'outbound' then 1 else 0 end) as outbound,
        sum(case when direction = 'two_way' then 1 else 0 end) as two_way,
        sum(
            case
                when is_top = 1 and latitude is not null and longitude is not null then 1 else 0
            end
        ) as on_map,
        sum(
            case when is_top = 1 and (latitude is null or longitude is null) then 1 else 0 end
        ) as off_map
    from peers
    group by ip_threat, run_date
),

{# All rows of the timeline, shown or cut off. #}
moments as (
    select distinct
        traffic.ip_threat,
        traffic.srcip,
        traffic.dstip,
        traffic.proto,
        traffic.sport,
        traffic.dport,
        traffic.ipkt,
        traffic.ibyt,
        traffic.run_date
    from traffic
    inner join peers
        on
            traffic.ip_threat = peers.ip_threat
            and traffic.peer = peers.peer
            and traffic.run_date = peers.run_date
    where peers.is_top = 1
),

timelines as (
    select
        ip_threat,
        run_date,
        count(*) as timeline_rows
    from moments
    group by ip_threat, run_date
)

select
    -- the story
    cast(stories.anchor as string) as ip_threat,
    cast(stories.title as string) as title,
    cast(stories.text as string) as text,
    cast(stories.author as string) as author,

    -- row counts of its tables
    cast(coalesce(scored.scored_rows, 0) as bigint) as scored_rows,
    cast(coalesce(counted.inbound, 0) as bigint) as inbound,
    cast(coalesce(counted.outbound, 0) as bigint) as outbound,
    cast(coalesce(counted.two_way, 0) as bigint) as two_way,
    cast(coalesce(counted.on_map, 0) as bigint) as on_map,
    cast(coalesce(counted.off_map, 0) as bigint) as off_map,
    cast(least(coalesce(timelines.timeline_rows, 0), {{ var('story_limit') }}) as bigint)
        as timeline_rows,
    cast(greatest(coalesce(timelines.timeline_rows, 0) - {{ var('story_limit') }}, 0) as bigint)
        as timeline_cut,

    -- slice
    cast(stories.y as int) as y,
    cast(stories.m as int) as m,
    cast(stories.d as int) as d
from stories
left join scored
    on stories.anchor = scored.ip and stories.run_date = scored.run_date
left join counted
    on stories.anchor = counted.ip_threat and stories.run_date = counted.run_date
left join timelines
    on stories.anchor = timelines.ip_threat and stories.run_date = timelines.run_date
