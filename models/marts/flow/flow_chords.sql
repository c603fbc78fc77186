with traffic as (
    select * from {{ ref('int_flow__traffic_filtered') }}
    where {{ in_run_dates() }}
),

results as (
    select * from {{ ref('stg_landed__flow_results') }}
    where {{ in_run_dates() }} and srcip <> dstip
),

peers as (
    select
        srcip as ip,
        dstip as peer,
        y,
        m,
        d
    from results
    union distinct
    select
        dstip as ip,
        srcip as peer,
        y,
        m,
        d
    from results
),

threats as (
    select
        ip as ip_threat,
        y,
        m,
        d
    from peers
    group by ip, y, m, d
    having count(*) >= 2
),

{# Summed before it is joined: a join first would carry every raw row of every peer. #}
sums as (
    select
        srcip,
        dstip,
        sum(ibyt) as ibyt,
        sum(ipkt) as ipkt,
        y,
        m,
        d
    from traffic
    where srcip <> dstip
    group by srcip, dstip, y, m, d
),

chords as (
    select
        threats.ip_threat,
        sums.*
    from threats
    inner join sums
        on threats.ip_threat = sums.srcip and {{ same_date('threats', 'sums') }}
    union all
    select
        threats.ip_threat,
        sums.*
    from threats
    inner join sums
        on threats.ip_threat = sums.dstip and {{ same_date('threats', 'sums') }}
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
