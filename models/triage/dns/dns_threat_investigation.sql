with triage as (
    {{ rows_of_run(ref('dns_triage'), '(ip_sev > 0 or dns_sev > 0)') }}
)

select
    -- the label
    cast(unix_tstamp as bigint) as unix_tstamp,
    cast(ip_dst as string) as ip_dst,
    cast(dns_qry_name as string) as dns_qry_name,
    cast(ip_sev as int) as ip_sev,
    cast(dns_sev as int) as dns_sev,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from triage
