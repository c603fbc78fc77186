with requests as (
    {{ rows_of_run(ref('stg_telemetry__proxy')) }}
),

anchors as (
    {{ stories_of_run(ref('stg_landed__proxy_stories')) }}
)

select
    requests.tdate,
    requests.time,
    requests.clientip,
    requests.duration,
    requests.respcode,
    requests.reqmethod,
    requests.resconttype,
    requests.referer,
    requests.fulluri,
    case when asked.anchor is null then 0 else 1 end as is_for_anchor,
    case when referring.anchor is null then 0 else 1 end as is_referred,

    -- slice
    requests.y,
    requests.m,
    requests.d
from requests
left join anchors as asked
    on requests.fulluri = asked.anchor and requests.run_date = asked.run_date
left join anchors as referring
    on requests.referer = referring.anchor and requests.run_date = referring.run_date
where asked.anchor is not null or referring.anchor is not null
