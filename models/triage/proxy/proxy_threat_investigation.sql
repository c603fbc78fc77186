with triage as (
    {{ rows_of_run(ref('proxy_triage'), 'uri_sev > 0') }}
)

select
    -- the label
    cast(tdate as string) as tdate,
    cast(fulluri as string) as fulluri,
    cast(uri_sev as int) as uri_sev,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from triage
