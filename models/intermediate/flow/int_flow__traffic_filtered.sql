with flow as (
    select * from {{ ref('stg_telemetry__flow') }}
    where {{ in_run_dates() }}
),

results as (
    select * from {{ ref('stg_landed__flow_results') }}
    where {{ in_run_dates() }}
),

pairs_both_ways as (
    select
        srcip,
        dstip,
        y,
        m,
        d
    from results
    union distinct
    select
        dstip as srcip,
        srcip as dstip,
        y,
        m,
        d
    from results
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
        from pairs_both_ways as pairs
        where
            pairs.srcip = flow.srcip
            and pairs.dstip = flow.dstip
            and {{ same_date('pairs', 'flow') }}
    )
