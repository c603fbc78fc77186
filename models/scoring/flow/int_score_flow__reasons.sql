with groups as (
    {{ rows_of_run(ref('int_score_flow__groups')) }}
),

seen as (
    {{ rows_of_run(ref('score_flow_seen')) }}
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
    from groups
),

{{ score_medians('usual_up', 'sent') }},

fans as (
    select
        way,
        e,
        k,
        count(*) as peers
    from groups
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
    from groups
    group by way, e, p
),

unanswered as (
    select
        way,
        e,
        count(*) as misses
    from groups
    where down = 0
    group by way, e
),

{# Where collectors see one way only, nothing is answered. #}
answers as (
    select case when 20 * sum(case when down = 0 then 0 else 1 end) < count(*) then 0 else 1 end
            as are_there
    from groups
),

measured as (
    select
        groups.way,
        groups.e,
        groups.p,
        groups.k,
        groups.events,
        groups.up as bytes_up,
        groups.down as bytes_down,
        groups.longest,
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
        case when groups.up >= 8192 then {{ l2('groups.up') }} - coalesce(usual_up.bin, 0) else 0 end
            as up,
        {{ l2('groups.longest') }} as long,
        coalesce({{ score_beacon() }}, 0) as beacon,
        case when fans.peers >= 16 then {{ l2('fans.peers') }} - coalesce(usual_fan.bin, 0) else 0 end
            as fan,
        {{ l2('pairs.services') }} as ports,
        case when groups.down = 0 and answers.are_there = 1 then {{ l2('unanswered.misses') }} else 0
            end as miss
    from groups
    {{ score_shared_joins() }}
    cross join answers
    left join regular
        on groups.e = regular.e and groups.p = regular.p and groups.k = regular.k
    left join usual_up
        on groups.way = usual_up.way and groups.k = usual_up.k
    left join usual_fan
        on groups.way = usual_fan.way and groups.k = usual_fan.k
    left join fans
        on groups.way = fans.way and groups.e = fans.e and groups.k = fans.k
    left join pairs
        on groups.way = pairs.way and groups.e = pairs.e and groups.p = pairs.p
    left join unanswered
        on groups.way = unanswered.way and groups.e = unanswered.e
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
