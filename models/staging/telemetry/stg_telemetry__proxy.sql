with proxy as (
    select * from {{ source('telemetry', 'proxy') }}
)

select
    -- when
    p_date as tdate,
    p_time as time,

    -- who asked, and whom
    clientip,
    username,
    authgroup,
    host,
    serverip,

    -- what for
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

    -- what came of it
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

    -- slice, as integers: the keys of a table may be smaller integers, or text
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d,
    cast(h as int) as h
from proxy
