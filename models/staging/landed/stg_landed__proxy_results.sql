with proxy_results as (
    select * from {{ source('landed', 'proxy_results') }}
)

select
    -- time
    p_date as tdate,
    p_time as time,

    -- client and server
    clientip,
    username,
    host,
    serverip,

    -- request
    reqmethod,
    useragent,
    referer,
    fulluri,
    uriport,
    uripath,
    uriquery,
    webcat,

    -- response
    respcode,
    resconttype,
    duration,
    scbytes,
    csbytes,

    -- score and rank
    word,
    score as ml_score,
    rank,

    -- slice
    y,
    m,
    d
from proxy_results
