with given as (
    {{ rows_of_run(ref('stg_landed__flow_score_labels')) }}
),

ports as (
    {{ rows_of_run(ref('int_score_flow__ports')) }}
),

own as (
    {{ rows_of_run(ref('int_score_flow__own')) }}
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

keyed as (
    {{ score_flow_keyed('ends', 'ports') }}
),

labelled as (
    select
        keyed.*,
        {{ score_flow_way('own_client', 'own_server') }} as way,
        case when keyed.known_bad is not null then {{ key64('keyed.known_bad') }} end as bad
    from keyed
    left join own as own_client
        on keyed.e = own_client.address
    left join own as own_server
        on keyed.p = own_server.address
),

{{ score_labels() }}
