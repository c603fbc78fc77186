with answers as (
    {{ rows_of_run(ref('int_dns__client_answers_filtered')) }}
),

numbered as (
    select
        *,
        row_number() over (
            partition by ip_dst, y, m, d
            order by
                {{ earliest_first('unix_tstamp', [
                    'frame_time', 'frame_len', 'ip_src', 'dns_qry_name', 'dns_qry_class',
                    'dns_qry_type', 'dns_qry_rcode', 'dns_a'
                ]) }}
        ) as place
    from answers
),

leaves as (
    select distinct
        unix_tstamp,
        dns_a,
        dns_qry_name,
        ip_dst,
        y,
        m,
        d
    from numbered
    where place <= {{ var('details_limit') }}
)

select
    cast(unix_tstamp as bigint) as unix_tstamp,
    cast(dns_a as string) as dns_a,
    cast(dns_qry_name as string) as dns_qry_name,
    cast(ip_dst as string) as ip_dst,
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from leaves
