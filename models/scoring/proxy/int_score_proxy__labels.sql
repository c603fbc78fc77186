with given as (
    {{ rows_of_run(ref('stg_landed__proxy_score_labels')) }}
),

names as (
    {{ rows_of_run(ref('int_score_proxy__names')) }}
),

labelled as (
    select
        given.*,
        'out' as way,
        {{ key64('given.clientip') }} as e,
        names.p,
        {{ key64(score_proxy_service(
            'given.reqmethod', 'given.resconttype', 'given.respcode', 'given.uriport'
        )) }} as k,
        case when given.known_bad is not null then names.p end as bad
    from given
    left join names
        on {{ score_proxy_host('given.host') }} = names.name
    where names.p is not null
),

{{ score_labels() }}
