with requests as (
    {{ rows_of_run(ref('stg_telemetry__proxy')) }}
),

results as (
    {{ rows_of_run(ref('stg_landed__proxy_results')) }}
),

suspects as (
    select
        fulluri,
        clientip,
        {{ time_text_hour('time') }} as hh,
        run_date
    from results
    where {{ date_text_number('tdate') }} = run_date
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
            and suspects.run_date = requests.run_date
    )
