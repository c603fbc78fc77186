with dns as (
    {{ score_telemetry(ref('stg_telemetry__dns'), 'ip_dst is not null') }}
),

day_groups as (
    {{ rows_of_run(ref('int_score_dns__groups')) }}
),

names as (
    {{ rows_of_run(ref('int_score_dns__names')) }}
),

seen as (
    {{ rows_of_run(ref('int_score_dns__seen')) }}
),

labels as (
    {{ rows_of_run(ref('int_score_dns__labels')) }}
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
        {{ key64('dns.ip_dst') }} as e,
        few_names.p,
        {{ key64(score_dns_service('dns.dns_qry_type')) }} as k,
        dns.unix_tstamp as second
    from dns
    inner join few_names
        on {{ dns_name_key('dns.dns_qry_name') }} = few_names.name
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
