with results as (
    {{ rows_of_run(ref('stg_landed__flow_results')) }}
),

geo as (
    {{ lookups_of('flow', ref('stg_lookups__ip_geo')) }}
),

network_context as (
    {{ lookups_of('flow', ref('stg_lookups__network_context')) }}
),

reputation as (
    {{ lookups_of('flow', ref('stg_lookups__reputation'), 'address') }}
)

select
    -- the connection
    cast(results.tstart as string) as tstart,
    cast(results.srcip as string) as srcip,
    cast(results.dstip as string) as dstip,
    cast(results.sport as int) as sport,
    cast(results.dport as int) as dport,
    cast(results.proto as string) as proto,
    cast(results.ipkt as bigint) as ipkt,
    cast(results.ibyt as bigint) as ibyt,
    cast(results.opkt as bigint) as opkt,
    cast(results.obyt as bigint) as obyt,

    -- score and rank
    cast(results.score as double) as score,
    cast(results.rank as int) as rank,

    -- enrichment of both ends
    cast(coalesce(src_context.is_internal, 0) as int) as srcip_internal,
    cast(coalesce(dst_context.is_internal, 0) as int) as destip_internal,
    cast(coalesce(src_geo.geoloc, '') as string) as src_geoloc,
    cast(coalesce(dst_geo.geoloc, '') as string) as dst_geoloc,
    cast(coalesce(src_geo.domain, '') as string) as src_domain,
    cast(coalesce(dst_geo.domain, '') as string) as dst_domain,
    cast(coalesce(src_reputation.reputation, '') as string) as src_rep,
    cast(coalesce(dst_reputation.reputation, '') as string) as dst_rep,

    -- slice
    cast(results.y as int) as y,
    cast(results.m as int) as m,
    cast(results.d as int) as d
from results
left join geo as src_geo
    on results.srcip = src_geo.ip and results.run_date = src_geo.run_date
left join network_context as src_context
    on results.srcip = src_context.ip and results.run_date = src_context.run_date
left join reputation as src_reputation
    on results.srcip = src_reputation.looked_up and results.run_date = src_reputation.run_date
left join geo as dst_geo
    on results.dstip = dst_geo.ip and results.run_date = dst_geo.run_date
left join network_context as dst_context
    on results.dstip = dst_context.ip and results.run_date = dst_context.run_date
left join reputation as dst_reputation
    on results.dstip = dst_reputation.looked_up and results.run_date = dst_reputation.run_date
