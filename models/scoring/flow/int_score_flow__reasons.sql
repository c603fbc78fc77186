with day_groups as (
    {{ rows_of_run(ref('int_score_flow__groups')) }}
),

seen as (
    {{ rows_of_run(ref('int_score_flow__seen')) }}
),

regular as (
    {{ rows_of_run(ref('int_score_flow__regular')) }}
),

labels as (
    {{ rows_of_run(ref('int_score_flow__labels')) }}
),

{{ score_memory() }},

sent as (
    select
        way,
        k,
        {{ l2('up') }} as bin
    from day_groups
),

{{ score_medians('usual_up', 'sent') }},

fans as (
    select
        way,
        e,
        k,
        count(*) as peers
    from day_groups
    group by way, e, k
),

fan_bins as (
    select
        way,
        k,
        {{ l2('peers') }} as bin
    from fans
),

{{ score_medians('usual_fan', 'fan_bins', 3) }},

pairs as (
    select
        way,
        e,
        p,
        count(*) as services
    from day_groups
    group by way, e, p
),

unanswered as (
    select
        way,
        e,
        count(*) as misses
    from day_groups
    where down = 0
    group by way, e
),

{# If collectors see one direction only, no flow is answered. #}
answers as (
    select
        case
            when 20 * sum(case when down = 0 then 0 else 1 end) < count(*) then 0
            else 1
        end as are_there
    from day_groups
),

measured as (
    select
        day_groups.way,
        day_groups.e,
        day_groups.p,
        day_groups.k,
        day_groups.events,
        day_groups.up as bytes_up,
        day_groups.down as bytes_down,
        day_groups.longest,
        usual_up.bin as usual_up,
        fans.peers as fan_peers,
        pairs.services as pair_services,
        unanswered.misses,
        regular.gaps,
        regular.seconds as gap_seconds,
        entities.entities,
        services.entities as service_entities,
        peers.entities as peer_entities,
        {{ score_shared_reasons() }},
        case
            when day_groups.up >= 8192
                then {{ l2('day_groups.up') }} - coalesce(usual_up.bin, 0)
            else 0
        end as up,
        {{ l2('day_groups.longest') }} as long,
        coalesce({{ score_beacon() }}, 0) as beacon,
        case
            when fans.peers >= 16
                then {{ l2('fans.peers') }} - coalesce(usual_fan.bin, 0)
            else 0
        end as fan,
        {{ l2('pairs.services') }} as ports,
        case
            when day_groups.down = 0 and answers.are_there = 1
                then {{ l2('unanswered.misses') }}
            else 0
        end as miss
    from day_groups
    {{ score_shared_joins() }}
    cross join answers
    left join regular
        on day_groups.e = regular.e and day_groups.p = regular.p and day_groups.k = regular.k
    left join usual_up
        on day_groups.way = usual_up.way and day_groups.k = usual_up.k
    left join usual_fan
        on day_groups.way = usual_fan.way and day_groups.k = usual_fan.k
    left join fans
        on day_groups.way = fans.way and day_groups.e = fans.e and day_groups.k = fans.k
    left join pairs
        on day_groups.way = pairs.way and day_groups.e = pairs.e and day_groups.p = pairs.p
    left join unanswered
        on day_groups.way = unanswered.way and day_groups.e = unanswered.e
)

select
    way,
    e,
    p,
    k,
    events,
    bytes_up,
    bytes_down,
    longest,
    usual_up,
    fan_peers,
    pair_services,
    misses,
    gaps,
    gap_seconds,
    entities,
    service_entities,
    peer_entities,
    {{ score_columns('flow') }},
    {{ score_slice() }}
from measured
