with traffic as (
    {{ rows_of_run(ref('int_flow__story_traffic')) }}
)

select
    -- the anchor, source and destination
    cast(ip_threat as string) as ip_threat,
    cast(srcip as string) as srcip,
    cast(dstip as string) as dstip,
    cast(sport as int) as sport,
    cast(dport as int) as dport,

    -- their traffic
    cast(min(tstart) as string) as firstseen,
    cast(max(tstart) as string) as lastseen,
    cast(count(*) as bigint) as conns,
    cast(max(ipkt) as bigint) as maxpkts,
    cast(avg(ipkt) as double) as avgpkts,
    cast(max(ibyt) as bigint) as maxbyts,
    cast(avg(ibyt) as double) as avgbyts,
    cast(sum(ibyt) as bigint) as sumbyts,
    cast(sum(ipkt) as bigint) as sumpkts,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from traffic
group by ip_threat, srcip, dstip, sport, dport, y, m, d
