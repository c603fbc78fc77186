with flow as (
    {{ rows_of_run(ref('stg_telemetry__flow')) }}
),

pairs as (
    {{ rows_of_run(ref('int_flow__suspicious_pairs')) }}
)

select
    flow.tstart,
    flow.srcip,
    flow.dstip,
    flow.sport,
    flow.dport,
    flow.proto,
    flow.flags,
    flow.tos,
    flow.ibyt,
    flow.ipkt,
    flow.input,
    flow.output,
    flow.rip,
    flow.obyt,
    flow.opkt,
    flow.trminute,
    flow.h,
    flow.y,
    flow.m,
    flow.d
from flow
where
    exists (
        select 1
        from pairs
        where
            pairs.srcip = flow.srcip
            and pairs.dstip = flow.dstip
            and pairs.run_date = flow.run_date
    )
