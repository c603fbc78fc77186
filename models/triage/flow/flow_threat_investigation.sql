with triage as (
    {{ rows_of_run(ref('flow_triage'), 'severity > 0') }}
)

select
    -- the label
    cast(tstart as string) as tstart,
    cast(srcip as string) as srcip,
    cast(dstip as string) as dstip,
    cast(sport as int) as srcport,
    cast(dport as int) as dstport,
    cast(severity as int) as score,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from triage
