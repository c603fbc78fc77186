with results as (
    select * from {{ ref('stg_landed__flow_results') }}
    where {{ in_run_dates() }}
),

geo as (
    select * from {{ ref('stg_lookups__ip_geo') }}
    where pipeline = 'flow' and {{ in_run_dates() }}
),

network_context as (
    select * from {{ ref('stg_lookups__network_context') }}
    where pipeline = 'flow' and {{ in_run_dates() }}
),

reputation as (
    select * from {{ ref('stg_lookups__reputation') }}
    where pipeline = 'flow' and looked_up_type = 'address' and {{ in_run_dates() }}
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

    -- how improbable
    cast(results.score as double) as score,
    cast(results.rank as int) as rank,

    -- what is known of its two ends
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
    on results.srcip = src_geo.ip and {{ same_date('results', 'src_geo') }}
left join network_context as src_context
    on results.srcip = src_context.ip and {{ same_date('results', 'src_context') }}
left join reputation as src_reputation
    on results.srcip = src_reputation.looked_up and {{ same_date('results', 'src_reputation') }}
left join geo as dst_geo
    on results.dstip = dst_geo.ip and {{ same_date('results', 'dst_geo') }}
left join network_context as dst_context
    on results.dstip = dst_context.ip and {{ same_date('results', 'dst_context') }}
left join reputation as dst_reputation
    on results.dstip = dst_reputation.looked_up and {{ same_date('results', 'dst_reputation') }}
