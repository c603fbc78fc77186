with peers as (
    {{ rows_of_run(ref('flow_story_peers'), 'is_top = 1 and latitude is not null') }}
),

known as (
    {{ lookups_of('flow', ref('stg_lookups__story_peers')) }}
),

{# 1 is two-way, 2 inbound, 3 outbound; the anchor is the other side of one-way peers. #}
sides as (
    select
        ip_threat,
        peer as ip,
        case when direction = 'inbound' then 'source' else 'destination' end as side,
        case direction when 'two_way' then 1 when 'inbound' then 2 else 3 end as kind,
        y,
        m,
        d,
        run_date
    from peers
    union distinct
    select
        ip_threat,
        ip_threat as ip,
        case when direction = 'inbound' then 'destination' else 'source' end as side,
        case direction when 'inbound' then 2 else 3 end as kind,
        y,
        m,
        d,
        run_date
    from peers
    where direction <> 'two_way'
)

select
    -- the anchor, and the address on the map
    cast(sides.ip_threat as string) as ip_threat,
    cast(sides.ip as string) as ip,
    cast(sides.side as string) as side,
    cast(sides.kind as int) as kind,

    -- location
    cast(known.place as string) as place,
    cast(known.latitude as double) as latitude,
    cast(known.longitude as double) as longitude,

    -- slice
    cast(sides.y as int) as y,
    cast(sides.m as int) as m,
    cast(sides.d as int) as d
from sides
inner join known
    on sides.ip = known.ip and sides.run_date = known.run_date
where known.latitude is not null and known.longitude is not null
