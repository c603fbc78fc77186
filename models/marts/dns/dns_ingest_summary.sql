with answers as (
    {{ rows_of_run(ref('stg_telemetry__dns')) }}
),

complete as (
    select
        {{ epoch_minute('unix_tstamp') }} as minute_number,
        y,
        m,
        d
    from answers
    where
        {# Times after 9999-12-31 are invalid. #}
        unix_tstamp between 0 and 253402300799
        and frame_time is not null
        and frame_len is not null
        and dns_qry_name is not null
        and ip_src is not null
        and dns_qry_class is not null
        and dns_qry_type is not null
        and dns_qry_rcode is not null
),

per_minute as (
    select
        minute_number,
        count(*) as total,
        y,
        m,
        d
    from complete
    group by minute_number, y, m, d
)

select
    cast({{ minute_text('minute_number') }} as string) as tdate,
    cast(total as bigint) as total,
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from per_minute
