with proxy as (
    {{ score_telemetry(ref('stg_telemetry__proxy'), 'clientip is not null') }}
),

names as (
    {{ rows_of_run(ref('int_score_proxy__names')) }}
),

scored as (
    {{ rows_of_run(ref('int_score_proxy__scored')) }}
),

{{ score_top() }},

top_names as (
    select
        names.name,
        names.domain,
        names.p
    from names
    where
        exists (
            select 1
            from top
            where top.p = names.p
        )
),

requests as (
    select
        *,
        {{ score_proxy_service('reqmethod', 'resconttype', 'respcode', 'uriport') }} as service
    from proxy
),

keyed as (
    select
        requests.*,
        {{ key64('requests.clientip') }} as e,
        top_names.p,
        {{ key64('requests.service') }} as k,
        top_names.domain as p_text
    from requests
    inner join top_names
        on {{ score_proxy_host('requests.host') }} = top_names.name
)

select
    tdate as p_date,
    time as p_time,
    clientip,
    host,
    reqmethod,
    useragent,
    resconttype,
    duration,
    username,
    webcat,
    referer,
    respcode,
    uriport,
    uripath,
    uriquery,
    serverip,
    scbytes,
    csbytes,
    fulluri,
    {{ time_text_seconds('time') }} as unix_tstamp,
    e,
    p,
    k,
    clientip as e_text,
    p_text,
    service as k_label,
    coalesce(csbytes, 0) as sent,
    {{ score_slice() }}
from keyed
where
    exists (
        select 1
        from top
        where top.e = keyed.e and top.p = keyed.p and top.k = keyed.k
    )
