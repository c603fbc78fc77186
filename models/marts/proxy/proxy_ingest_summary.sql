with requests as (
    {{ rows_of_run(ref('stg_telemetry__proxy')) }}
),

{#
    Counts by the text first: a day has few distinct times, and only these are parsed. Missing or
    empty text is not a date or a time, and is dropped then.
#}
per_time as (
    select
        tdate,
        time,
        count(*) as total,
        y,
        m,
        d
    from requests
    where
        clientip is not null
        and host is not null
        and fulluri is not null
    group by tdate, time, y, m, d
),

parsed as (
    select
        {{ date_text_number('tdate') }} as own_date,
        {{ time_text_hour('time') }} as hh,
        {{ time_text_minute('time') }} as md,
        total,
        y,
        m,
        d
    from per_time
),

per_minute as (
    select
        own_date,
        hh,
        md,
        sum(total) as total,
        y,
        m,
        d
    from parsed
    where own_date is not null and hh is not null
    group by own_date, hh, md, y, m, d
)

select
    cast(
        {{ date_minute_text(
            'cast(floor(own_date / 10000) as int)', 'cast(floor(own_date / 100) as int) % 100',
            'own_date % 100', 'hh', 'md'
        ) }} as string
    ) as tdate,
    cast(total as bigint) as total,
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from per_minute
