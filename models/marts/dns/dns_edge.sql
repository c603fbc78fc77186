with answers as (
    {{ rows_of_run(ref('int_dns__answers_filtered')) }}
),

class_names as (
    {{ rows_of_run(ref('int_dns__class_names')) }}
),

network_context as (
    {{ lookups_of('dns', ref('stg_lookups__network_context')) }}
),

types as (
    select * from {{ ref('dns_types') }}
),

rcodes as (
    select * from {{ ref('dns_rcodes') }}
),

numbered as (
    select
        *,
        row_number() over (
            partition by
                {{ dns_name_key('dns_qry_name') }}, {{ epoch_hour('unix_tstamp') }}, run_date
            order by
                {{ earliest_first('unix_tstamp', [
                    'frame_time', 'frame_len', 'ip_dst', 'ip_src', 'dns_qry_name', 'dns_qry_class',
                    'dns_qry_type', 'dns_qry_rcode', 'dns_a'
                ]) }}
        ) as place
    from answers
)

select
    cast(numbered.unix_tstamp as bigint) as unix_tstamp,
    cast(numbered.frame_len as bigint) as frame_len,
    cast(numbered.ip_dst as string) as ip_dst,
    cast(numbered.ip_src as string) as ip_src,
    cast(numbered.dns_qry_name as string) as dns_qry_name,
    cast(numbered.dns_qry_class as string) as dns_qry_class,
    cast(numbered.dns_qry_type as int) as dns_qry_type,
    cast(numbered.dns_qry_rcode as int) as dns_qry_rcode,
    cast(numbered.dns_a as string) as dns_a,
    cast({{ utc_hour('numbered.unix_tstamp') }} as int) as hh,
    cast(coalesce(class_names.dns_qry_class_name, '') as string) as dns_qry_class_name,
    cast({{ code_name('numbered.dns_qry_type', 'types') }} as string) as dns_qry_type_name,
    cast({{ code_name('numbered.dns_qry_rcode', 'rcodes') }} as string) as dns_qry_rcode_name,
    cast(coalesce(network_context.label, '') as string) as network_context,
    cast(numbered.y as int) as y,
    cast(numbered.m as int) as m,
    cast(numbered.d as int) as d
from numbered
left join class_names
    on
        numbered.dns_qry_class = class_names.dns_qry_class
        and numbered.run_date = class_names.run_date
left join types
    on numbered.dns_qry_type = types.code
left join rcodes
    on numbered.dns_qry_rcode = rcodes.code
left join network_context
    on numbered.ip_dst = network_context.ip and numbered.run_date = network_context.run_date
where numbered.place <= {{ var('details_limit') }}
