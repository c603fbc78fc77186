with flow as (
    {{ score_telemetry(ref('stg_telemetry__flow'), 'srcip is not null and dstip is not null') }}
),

day_groups as (
    {{ rows_of_run(ref('int_score_flow__groups')) }}
),

ports as (
    {{ rows_of_run(ref('int_score_flow__ports')) }}
),

seen as (
    {{ rows_of_run(ref('int_score_flow__seen')) }}
),

labels as (
    {{ rows_of_run(ref('int_score_flow__labels')) }}
),

{{ score_few() }},

{{ score_flow_between('few') }},

ends as (
    {{ score_flow_ends('flows_between') }}
),

keyed as (
    {{ score_flow_keyed('ends', 'ports') }}
),

chosen as (
    select
        keyed.e,
        keyed.p,
        keyed.k,
        keyed.unix_tstamp as second
    from keyed
    where
        exists (
            select 1
            from few
            where few.e = keyed.e and few.p = keyed.p and few.k = keyed.k
        )
),

{{ score_gaps() }}
