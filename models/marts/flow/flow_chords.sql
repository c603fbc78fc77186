with traffic as (
    {{ rows_of_run(ref('int_flow__traffic_filtered')) }}
),

pairs as (
    {{ rows_of_run(ref('int_flow__suspicious_pairs')) }}
),

threats as (
    select
        srcip as ip_threat,
        run_date
    from pairs
    where srcip <> dstip
    group by srcip, run_date
    having count(distinct dstip) >= 2
),

{# Summed before the join: otherwise the join would carry every raw row of every peer. #}
sums as (
    select
        srcip,
        dstip,
        sum(ibyt) as ibyt,
        sum(ipkt) as ipkt,
        y,
        m,
        d,
        run_date
    from traffic
    where srcip <> dstip
    group by srcip, dstip, y, m, d, run_date
),

chords as (
    select
        threats.ip_threat,
        sums.*
    from threats
    inner join sums
        on threats.ip_threat = sums.srcip and threats.run_date = sums.run_date
    union all
    select
        threats.ip_threat,
        sums.*
    from threats
    inner join sums
        on threats.ip_threat = sums.dstip and threats.run_date = sums.run_date
)

select
    cast(ip_threat as string) as ip_threat,
    cast(srcip as string) as srcip,
    cast(dstip as string) as dstip,
    cast(ibyt as bigint) as ibyt,
    cast(ipkt as bigint) as ipkt,
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from chords
