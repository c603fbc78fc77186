with dns as (
    {{ score_telemetry(ref('stg_telemetry__dns'), 'ip_dst is not null') }}
),

asked as (
    {{ rows_of_run(ref('int_score_dns__names')) }}
),

scored as (
    {{ rows_of_run(ref('int_score_dns__scored')) }}
),

{{ score_top() }},

top_names as (
    select
        asked.name,
        asked.domain,
        asked.p
    from asked
    where
        exists (
            select 1
            from top
            where top.p = asked.p
        )
),

keyed as (
    select
        dns.*,
        {{ key64('dns.ip_dst') }} as e,
        top_names.p,
        {{ key64(score_dns_service('dns.dns_qry_type')) }} as k,
        top_names.domain as p_text
    from dns
    inner join top_names
        on {{ dns_name_key('dns.dns_qry_name') }} = top_names.name
)

select
    frame_time,
    unix_tstamp,
    frame_len,
    ip_dst,
    dns_qry_name,
    dns_qry_class,
    dns_qry_type,
    dns_qry_rcode,
    e,
    p,
    k,
    ip_dst as e_text,
    p_text,
    {{ score_dns_service('dns_qry_type') }} as k_label,
    coalesce(frame_len, 0) as sent,
    {{ score_slice() }}
from keyed
where
    exists (
        select 1
        from top
        where top.e = keyed.e and top.p = keyed.p and top.k = keyed.k
    )
