with proxy as (
    select * from {{ source('telemetry', 'proxy') }}
)

select
    -- time
    p_date as tdate,
    p_time as time,

    -- client and server
    clientip,
    username,
    authgroup,
    host,
    serverip,

    -- request
    reqmethod,
    useragent,
    referer,
    fulluri,
    urischeme,
    uriport,
    uripath,
    uriquery,
    uriextension,
    webcat,

    -- response
    filterresult,
    exceptionid,
    action,
    respcode,
    resconttype,
    duration,
    scbytes,
    csbytes,
    virusid,
    bcappname,
    bcappoper,

    -- slice, as integers: the partition keys of a table can be smaller integers, or text
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d,
    cast(h as int) as h
from proxy
