with given as (
    {{ rows_of_run(ref('stg_landed__dns_score_labels')) }}
),

names as (
    {{ rows_of_run(ref('int_score_dns__names')) }}
),

labelled as (
    select
        given.*,
        'out' as way,
        {{ key64('given.ip_dst') }} as e,
        names.p,
        {{ key64(score_dns_service('given.dns_qry_type')) }} as k,
        case when given.known_bad is not null then names.p end as bad
    from given
    left join names
        on {{ dns_name_key('given.dns_qry_name') }} = names.name
    where names.p is not null
),

{{ score_labels() }}
