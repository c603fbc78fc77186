with results as (
    {{ rows_of_run(ref('stg_landed__flow_results')) }}
),

timed as (
    select
        srcip,
        dstip,
        case when tryear = y and trmonth = m and trday = d then trhour end as hh,
        case when tryear = y and trmonth = m and trday = d then trminute end as md,
        y,
        m,
        d
    from results
)

select
    srcip,
    dstip,
    hh,
    md,
    y,
    m,
    d
from timed
union distinct
select
    dstip as srcip,
    srcip as dstip,
    hh,
    md,
    y,
    m,
    d
from timed
