with results as (
    {{ rows_of_run(ref('stg_landed__proxy_results')) }}
),

network_context as (
    {{ lookups_of('proxy', ref('stg_lookups__network_context')) }}
),

reputation as (
    {{ lookups_of('proxy', ref('stg_lookups__reputation'), 'uri') }}
),

status_codes as (
    select
        cast(code as string) as code,
        name
    from {{ ref('http_status_codes') }}
)

select
    -- the request
    cast(results.tdate as string) as tdate,
    cast(results.time as string) as time,
    cast(results.clientip as string) as clientip,
    cast(results.host as string) as host,
    cast(results.reqmethod as string) as reqmethod,
    cast(results.useragent as string) as useragent,
    cast(results.resconttype as string) as resconttype,
    cast(results.duration as int) as duration,
    cast(results.username as string) as username,
    cast(results.webcat as string) as webcat,
    cast(results.referer as string) as referer,
    cast(results.respcode as string) as respcode,
    cast(results.uriport as string) as uriport,
    cast(results.uripath as string) as uripath,
    cast(results.uriquery as string) as uriquery,
    cast(results.serverip as string) as serverip,
    cast(results.scbytes as bigint) as scbytes,
    cast(results.csbytes as bigint) as csbytes,
    cast(results.fulluri as string) as fulluri,

    -- score and rank
    cast(results.word as string) as word,
    cast(results.ml_score as double) as ml_score,

    -- enrichment
    cast(coalesce(reputation.reputation, '') as string) as uri_rep,
    cast({{ code_name('results.respcode', 'status_codes') }} as string) as respcode_name,
    cast(coalesce(network_context.label, '') as string) as network_context,

    -- slice
    cast(results.y as int) as y,
    cast(results.m as int) as m,
    cast(results.d as int) as d
from results
left join network_context
    on results.clientip = network_context.ip and results.run_date = network_context.run_date
left join reputation
    on results.fulluri = reputation.looked_up and results.run_date = reputation.run_date
left join status_codes
    on results.respcode = status_codes.code
