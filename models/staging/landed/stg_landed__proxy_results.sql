with proxy_results as (
    select * from {{ source('landed', 'proxy_results') }}
)

select
    -- when
    p_date as tdate,
    p_time as time,

    -- who asked, and whom
    clientip,
    username,
    host,
    serverip,

    -- what for
    reqmethod,
    useragent,
    referer,
    fulluri,
    uriport,
    uripath,
    uriquery,
    webcat,

    -- what came of it
    respcode,
    resconttype,
    duration,
    scbytes,
    csbytes,

    -- how improbable
    word,
    score as ml_score,
    rank,

    -- slice
    y,
    m,
    d
from proxy_results
