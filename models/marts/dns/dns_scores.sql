with results as (
    {{ rows_of_run(ref('stg_landed__dns_results')) }}
),

network_context as (
    {{ lookups_of('dns', ref('stg_lookups__network_context')) }}
),

reputation as (
    {{ lookups_of('dns', ref('stg_lookups__reputation'), 'name') }}
),

domains as (
    {{ lookups_of('dns', ref('stg_lookups__domain')) }}
),

class_names as (
    {{ rows_of_run(ref('int_dns__class_names')) }}
),

types as (
    select * from {{ ref('dns_types') }}
),

rcodes as (
    select * from {{ ref('dns_rcodes') }}
)

select
    -- the answer
    cast(results.frame_time as string) as frame_time,
    cast(results.unix_tstamp as bigint) as unix_tstamp,
    cast(results.frame_len as bigint) as frame_len,
    cast(results.ip_dst as string) as ip_dst,
    cast(results.dns_qry_name as string) as dns_qry_name,
    cast(results.dns_qry_class as string) as dns_qry_class,
    cast(results.dns_qry_type as int) as dns_qry_type,
    cast(results.dns_qry_rcode as int) as dns_qry_rcode,

    -- score and rank
    cast(results.score as double) as score,

    -- enrichment
    cast(coalesce(domains.registered_domain, '') as string) as tld,
    cast(coalesce(reputation.reputation, '') as string) as query_rep,
    cast({{ utc_hour('results.unix_tstamp') }} as int) as hh,
    cast(coalesce(class_names.dns_qry_class_name, '') as string) as dns_qry_class_name,
    cast({{ code_name('results.dns_qry_type', 'types') }} as string) as dns_qry_type_name,
    cast({{ code_name('results.dns_qry_rcode', 'rcodes') }} as string) as dns_qry_rcode_name,
    cast(coalesce(network_context.label, '') as string) as network_context,

    -- slice
    cast(results.y as int) as y,
    cast(results.m as int) as m,
    cast(results.d as int) as d
from results
left join domains
    on results.dns_qry_name = domains.name and results.run_date = domains.run_date
left join reputation
    on results.dns_qry_name = reputation.looked_up and results.run_date = reputation.run_date
left join class_names
    on
        results.dns_qry_class = class_names.dns_qry_class
        and results.run_date = class_names.run_date
left join types
    on results.dns_qry_type = types.code
left join rcodes
    on results.dns_qry_rcode = rcodes.code
left join network_context
    on results.ip_dst = network_context.ip and results.run_date = network_context.run_date
