with requests as (
    {{ rows_of_run(ref('int_proxy__story_requests')) }}
)

select distinct
    -- the anchor, and whether it was requested or the referer
    cast(fulluri as string) as p_threat,
    cast('requested' as string) as relation,

    -- the request
    cast(clientip as string) as clientip,
    cast(referer as string) as referer,
    cast(reqmethod as string) as reqmethod,
    cast(resconttype as string) as resconttype,
    cast(fulluri as string) as fulluri,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from requests
where is_for_anchor = 1
union all
select distinct
    -- the anchor
    cast(referer as string) as p_threat,
    cast('referred' as string) as relation,

    -- the URI that it led to
    cast(null as string) as clientip,
    cast(null as string) as referer,
    cast(null as string) as reqmethod,
    cast(null as string) as resconttype,
    cast(fulluri as string) as fulluri,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from requests
where is_referred = 1 and fulluri <> referer
