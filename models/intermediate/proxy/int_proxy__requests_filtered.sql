with requests as (
    select * from {{ ref('stg_telemetry__proxy') }}
    where {{ in_run_dates() }}
),

results as (
    select
        fulluri,
        clientip,
        {{ time_text_hour('time') }} as hh,
        {{ date_text_year('tdate') }} as own_year,
        {{ date_text_month('tdate') }} as own_month,
        {{ date_text_day('tdate') }} as own_day,
        y,
        m,
        d
    from {{ ref('stg_landed__proxy_results') }}
    where {{ in_run_dates() }}
),

suspects as (
    select * from results
    where own_year = y and own_month = m and own_day = d
)

select
    requests.tdate,
    requests.time,
    requests.clientip,
    requests.host,
    requests.reqmethod,
    requests.useragent,
    requests.resconttype,
    requests.duration,
    requests.username,
    requests.authgroup,
    requests.exceptionid,
    requests.filterresult,
    requests.webcat,
    requests.referer,
    requests.respcode,
    requests.action,
    requests.urischeme,
    requests.uriport,
    requests.uripath,
    requests.uriquery,
    requests.uriextension,
    requests.serverip,
    requests.scbytes,
    requests.csbytes,
    requests.virusid,
    requests.bcappname,
    requests.bcappoper,
    requests.fulluri,
    requests.h,
    requests.y,
    requests.m,
    requests.d
from requests
where
    exists (
        select 1
        from suspects
        where
            suspects.fulluri = requests.fulluri
            and suspects.clientip = requests.clientip
            and suspects.hh = requests.h
            and {{ same_date('suspects', 'requests') }}
    )
