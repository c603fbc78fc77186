with proxy as (
    {{ score_telemetry(ref('stg_telemetry__proxy'), 'clientip is not null') }}
),

day_groups as (
    {{ rows_of_run(ref('int_score_proxy__groups')) }}
),

names as (
    {{ rows_of_run(ref('int_score_proxy__names')) }}
),

seen as (
    {{ rows_of_run(ref('int_score_proxy__seen')) }}
),

labels as (
    {{ rows_of_run(ref('int_score_proxy__labels')) }}
),

{{ score_few() }},

few_names as (
    select
        names.name,
        names.p
    from names
    where
        exists (
            select 1
            from few
            where few.p = names.p
        )
),

keyed as (
    select
        {{ key64('proxy.clientip') }} as e,
        few_names.p,
        {{ key64(score_proxy_service(
            'proxy.reqmethod', 'proxy.resconttype', 'proxy.respcode', 'proxy.uriport'
        )) }} as k,
        {{ time_text_seconds('proxy.time') }} as second
    from proxy
    inner join few_names
        on {{ score_proxy_host('proxy.host') }} = few_names.name
),

chosen as (
    select
        keyed.e,
        keyed.p,
        keyed.k,
        keyed.second
    from keyed
    where
        exists (
            select 1
            from few
            where few.e = keyed.e and few.p = keyed.p and few.k = keyed.k
        )
),

{{ score_gaps() }}
