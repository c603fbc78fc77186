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
),

addresses as (
    select
        srcip as ip,
        y,
        m,
        d,
        run_date
    from results
    union distinct
    select
        dstip as ip,
        y,
        m,
        d,
        run_date
    from results
)

select
    -- the address
    cast(addresses.ip as string) as ip,
    cast(coalesce(network_context.is_internal, 0) as int) as is_internal,

    -- location and owner
    cast(coalesce(geo.geoloc, '') as string) as place,
    cast(coalesce(geo.domain, '') as string) as domain,
    cast(coalesce(geo.country_code, '') as string) as country_code,
    cast(geo.latitude as double) as latitude,
    cast(geo.longitude as double) as longitude,
    cast(geo.asn as bigint) as asn,
    cast(coalesce(geo.as_org, '') as string) as as_org,

    -- label and reputation
    cast(coalesce(network_context.label, '') as string) as context,
    cast(coalesce(reputation.reputation, '') as string) as reputation,
    cast(reputation.severity as int) as severity,

    -- slice
    cast(addresses.y as int) as y,
    cast(addresses.m as int) as m,
    cast(addresses.d as int) as d
from addresses
left join geo
    on addresses.ip = geo.ip and addresses.run_date = geo.run_date
left join network_context
    on addresses.ip = network_context.ip and addresses.run_date = network_context.run_date
left join reputation
    on addresses.ip = reputation.looked_up and addresses.run_date = reputation.run_date
