with proxy_edge as (
    select * from {{ ref('proxy_edge') }}
)

select
    tdate,
    time,
    clientip,
    host,
    webcat,
    respcode,
    reqmethod,
    useragent,
    resconttype,
    referer,
    uriport,
    serverip,
    scbytes,
    csbytes,
    fulluri,
    hh,
    respcode_name,
    cast(y as smallint) as y,
    cast(m as tinyint) as m,
    cast(d as tinyint) as d
from proxy_edge
