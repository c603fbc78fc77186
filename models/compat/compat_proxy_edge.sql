with proxy_edge as (
    select * from {{ ref('proxy_edge') }}
)

select
    tdate,
    time,
    clientip,
    host,
    webcat,
    {{ extract_int('respcode', '^([0-9]{1,9})$') }} as respcode,
    reqmethod,
    useragent,
    resconttype,
    referer,
    {{ extract_int('uriport', '^([0-9]{1,9})$') }} as uriport,
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
