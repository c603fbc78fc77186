with requests as (
    {{ rows_of_run(ref('int_proxy__requests_filtered')) }}
),

status_codes as (
    select
        cast(code as string) as code,
        name
    from {{ ref('http_status_codes') }}
),

numbered as (
    select
        *,
        row_number() over (
            partition by fulluri, clientip, h, run_date
            order by
                {{ earliest_first(time_text_seconds('time'), [
                    'tdate', 'time', 'host', 'reqmethod', 'useragent', 'resconttype', 'duration',
                    'username', 'authgroup', 'exceptionid', 'filterresult', 'webcat', 'referer',
                    'respcode', 'action', 'urischeme', 'uriport', 'uripath', 'uriquery',
                    'uriextension', 'serverip', 'scbytes', 'csbytes'
                ]) }}
        ) as place
    from requests
)

select
    cast(numbered.tdate as string) as tdate,
    cast(numbered.time as string) as time,
    cast(numbered.clientip as string) as clientip,
    cast(numbered.host as string) as host,
    cast(numbered.webcat as string) as webcat,
    cast(numbered.respcode as string) as respcode,
    cast(numbered.reqmethod as string) as reqmethod,
    cast(numbered.useragent as string) as useragent,
    cast(numbered.resconttype as string) as resconttype,
    cast(numbered.referer as string) as referer,
    cast(numbered.uriport as string) as uriport,
    cast(numbered.serverip as string) as serverip,
    cast(numbered.scbytes as bigint) as scbytes,
    cast(numbered.csbytes as bigint) as csbytes,
    cast(numbered.fulluri as string) as fulluri,
    cast(numbered.h as int) as hh,
    cast({{ code_name('numbered.respcode', 'status_codes') }} as string) as respcode_name,
    cast(numbered.y as int) as y,
    cast(numbered.m as int) as m,
    cast(numbered.d as int) as d
from numbered
left join status_codes
    on numbered.respcode = status_codes.code
where numbered.place <= {{ var('details_limit') }}
