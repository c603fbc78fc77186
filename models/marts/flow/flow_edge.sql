with traffic as (
    {{ rows_of_run(ref('int_flow__traffic_filtered')) }}
),

connections as (
    {{ rows_of_run(ref('int_flow__suspicious_pairs')) }}
)

select
    cast(traffic.tstart as string) as tstart,
    cast(traffic.srcip as string) as srcip,
    cast(traffic.dstip as string) as dstip,
    cast(traffic.sport as int) as sport,
    cast(traffic.dport as int) as dport,
    cast(traffic.proto as string) as proto,
    cast(traffic.flags as string) as flags,
    cast(traffic.tos as int) as tos,
    cast(traffic.ibyt as bigint) as ibyt,
    cast(traffic.ipkt as bigint) as ipkt,
    cast(
        case
            when traffic.ipkt is null and traffic.opkt is null then null
            else coalesce(traffic.ipkt, 0) + coalesce(traffic.opkt, 0)
        end as bigint
    ) as pkts,
    cast(traffic.input as int) as input,
    cast(traffic.output as int) as output,
    cast(traffic.rip as string) as rip,
    cast(traffic.obyt as bigint) as obyt,
    cast(traffic.opkt as bigint) as opkt,
    cast(traffic.h as int) as hh,
    cast(traffic.trminute as int) as md,
    cast(traffic.y as int) as y,
    cast(traffic.m as int) as m,
    cast(traffic.d as int) as d
from traffic
where
    exists (
        select 1
        from connections
        where
            connections.srcip = traffic.srcip
            and connections.dstip = traffic.dstip
            and connections.hh = traffic.h
            and connections.md = traffic.trminute
            and connections.run_date = traffic.run_date
    )
