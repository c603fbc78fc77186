with flow as (
    {{ rows_of_run(ref('stg_telemetry__flow')) }}
),

complete as (
    select * from flow
    where
        unix_tstamp is not null
        and srcip is not null
        and sport is not null
        and dstip is not null
        and dport is not null
        and ibyt is not null
        and ipkt is not null
        and tryear = y
        and trmonth between 1 and 12
        and trday between 1 and 31
        and trhour between 0 and 23
        and trminute between 0 and 59
        and trsec between 0 and 60
        and {{ is_timestamp('tstart') }}
),

per_minute as (
    select
        tryear,
        trmonth,
        trday,
        trhour,
        trminute,
        count(*) as total,
        y,
        m,
        d
    from complete
    group by tryear, trmonth, trday, trhour, trminute, y, m, d
)

select
    cast(
        {{ date_minute_text('tryear', 'trmonth', 'trday', 'trhour', 'trminute') }} as string
    ) as tdate,
    cast(total as bigint) as total,
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from per_minute
