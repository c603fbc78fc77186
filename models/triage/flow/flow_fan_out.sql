with scores as (
    {{ rows_of_run(ref('flow_scores')) }}
),

counted as (
    select
        srcip,
        y,
        m,
        d,
        count(distinct case when dstip <> srcip then dstip end) as peers,
        count(*) as connections
    from scores
    group by srcip, y, m, d
)

select
    -- the source
    cast(srcip as string) as srcip,

    -- number of addresses it connects to
    cast(peers as int) as peers,
    cast(connections as bigint) as connections,
    cast(case when peers > {{ var('fan_out_peers', 20) }} then 1 else 0 end as int) as is_heavy,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from counted
