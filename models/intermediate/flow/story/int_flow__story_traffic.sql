with flow as (
    {{ rows_of_run(ref('stg_telemetry__flow')) }}
),

anchors as (
    {{ stories_of_run(ref('stg_landed__flow_stories')) }}
),

{# Both lookups in one pass over the telemetry: a union of two joins would read it twice. #}
touching as (
    select
        flow.*,
        sources.anchor as source_anchor,
        targets.anchor as target_anchor
    from flow
    left join anchors as sources
        on flow.srcip = sources.anchor and flow.run_date = sources.run_date
    left join anchors as targets
        on flow.dstip = targets.anchor and flow.run_date = targets.run_date
    where
        flow.srcip <> flow.dstip
        and (sources.anchor is not null or targets.anchor is not null)
),

ends as (
    select 1 as is_out
    union all
    select 0 as is_out
)

select
    -- the anchor, its peer, and whether the anchor is the source
    case when ends.is_out = 1 then touching.source_anchor else touching.target_anchor
    end as ip_threat,
    case when ends.is_out = 1 then touching.dstip else touching.srcip end as peer,
    ends.is_out,

    -- the flow
    touching.tstart,
    touching.srcip,
    touching.dstip,
    touching.proto,
    touching.sport,
    touching.dport,
    touching.ipkt,
    touching.ibyt,

    -- slice
    touching.y,
    touching.m,
    touching.d
from touching
cross join ends
where
    (ends.is_out = 1 and touching.source_anchor is not null)
    or (ends.is_out = 0 and touching.target_anchor is not null)
