with proxy_scores as (
    select * from {{ ref('proxy_scores') }}
)

select
    tdate,
    time,
    clientip,
    host,
    reqmethod,
    useragent,
    resconttype,
    duration,
    username,
    webcat,
    referer,
    {{ extract_int('respcode', '^([0-9]{1,9})$') }} as respcode,
    {{ extract_int('uriport', '^([0-9]{1,9})$') }} as uriport,
    uripath,
    uriquery,
    serverip,
    scbytes,
    csbytes,
    fulluri,
    word,
    cast(ml_score as float) as ml_score,
    uri_rep,
    respcode_name,
    network_context,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from proxy_scores
