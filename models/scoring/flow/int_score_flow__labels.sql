with given as (
    {{ rows_of_run(ref('stg_landed__flow_score_labels')) }}
),

ports as (
    {{ rows_of_run(ref('int_score_flow__ports')) }}
),

flow as (
    select
        *,
        cast(null as bigint) as ibyt,
        cast(null as bigint) as obyt
    from given
),

ends as (
    {{ score_flow_ends('flow') }}
),

labelled as (
    {{ score_flow_keyed('ends', 'ports') }}
),

{{ score_labels() }}
