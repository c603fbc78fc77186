with traffic as (
    {{ rows_of_run(ref('int_flow__story_traffic')) }}
),

peers as (
    {{ rows_of_run(ref('flow_story_peers'), 'is_top = 1') }}
),

grouped as (
    select
        traffic.ip_threat,
        min(traffic.tstart) as tstart,
        max(traffic.tstart) as tend,
        traffic.srcip,
        traffic.dstip,
        traffic.proto,
        traffic.sport,
        traffic.dport,
        traffic.ipkt,
        traffic.ibyt,
        traffic.y,
        traffic.m,
        traffic.d
    from traffic
    inner join peers
        on
            traffic.ip_threat = peers.ip_threat
            and traffic.peer = peers.peer
            and traffic.run_date = peers.run_date
    group by
        traffic.ip_threat,
        traffic.srcip,
        traffic.dstip,
        traffic.proto,
        traffic.sport,
        traffic.dport,
        traffic.ipkt,
        traffic.ibyt,
        traffic.y,
        traffic.m,
        traffic.d
),

numbered as (
    select
        *,
        row_number() over (
            partition by ip_threat, y, m, d
            order by
                {{ earliest_first('tstart', [
                    'tend', 'srcip', 'dstip', 'proto', 'sport', 'dport', 'ipkt', 'ibyt'
                ]) }}
        ) as place
    from grouped
)

select
    -- the anchor, and the time
    cast(ip_threat as string) as ip_threat,
    cast(tstart as string) as tstart,
    cast(tend as string) as tend,

    -- source and destination
    cast(srcip as string) as srcip,
    cast(dstip as string) as dstip,
    cast(proto as string) as proto,
    cast(sport as int) as sport,
    cast(dport as int) as dport,
    cast(ipkt as bigint) as ipkt,
    cast(ibyt as bigint) as ibyt,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from numbered
where place <= {{ var('story_limit') }}
