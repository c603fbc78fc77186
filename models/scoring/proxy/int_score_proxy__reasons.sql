with day_groups as (
    {{ rows_of_run(ref('int_score_proxy__groups')) }}
),

agents as (
    {{ rows_of_run(ref('int_score_proxy__agents')) }}
),

seen as (
    {{ rows_of_run(ref('int_score_proxy__seen')) }}
),

regular as (
    {{ rows_of_run(ref('int_score_proxy__regular')) }}
),

labels as (
    {{ rows_of_run(ref('int_score_proxy__labels')) }}
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

agent_entities as (
    select
        way,
        item as agent,
        count(*) as entities
    from remembered
    where kind = 'eu'
    group by way, item
),

used_agents as (
    select
        way,
        e,
        item as agent
    from remembered
    where kind = 'eu' and days > 1
),

rare_agents as (
    select
        agents.way,
        agents.e,
        agents.p,
        agents.k,
        agent_entities.entities,
        {{ l2('cast(entities.entities + 1 as double) / (agent_entities.entities - 0.5)') }}
        + case when known.e is not null and used_agents.e is null then 32 else 0 end as rarity
    from agents
    left join entities
        on agents.way = entities.way
    left join agent_entities
        on agents.way = agent_entities.way and agents.agent = agent_entities.agent
    left join known
        on agents.e = known.e
    left join used_agents
        on
            agents.way = used_agents.way
            and agents.e = used_agents.e
            and agents.agent = used_agents.agent
),

ordered_agents as (
    select
        *,
        row_number() over (
            partition by way, e, p, k order by rarity desc, entities asc
        ) as place
    from rare_agents
),

rarest_agents as (
    select
        way,
        e,
        p,
        k,
        rarity,
        entities
    from ordered_agents
    where place = 1
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
        day_groups.longest_uri,
        usual_up.bin as usual_up,
        rarest_agents.entities as agent_entities,
        regular.gaps,
        regular.seconds as gap_seconds,
        entities.entities,
        services.entities as service_entities,
        peers.entities as peer_entities,
        {{ score_shared_reasons() }},
        rarest_agents.rarity as agent,
        day_groups.is_address as iplit,
        case
            when day_groups.up >= 8192
                then {{ l2('day_groups.up') }} - coalesce(usual_up.bin, 0)
            else 0
        end as up,
        {{ l2('day_groups.longest_uri') }} as urilen,
        coalesce({{ score_beacon() }}, 0) as beacon
    from day_groups
    {{ score_shared_joins() }}
    left join regular
        on day_groups.e = regular.e and day_groups.p = regular.p and day_groups.k = regular.k
    left join usual_up
        on day_groups.way = usual_up.way and day_groups.k = usual_up.k
    left join rarest_agents
        on
            day_groups.way = rarest_agents.way
            and day_groups.e = rarest_agents.e
            and day_groups.p = rarest_agents.p
            and day_groups.k = rarest_agents.k
)

select
    way,
    e,
    p,
    k,
    events,
    bytes_up,
    bytes_down,
    longest_uri,
    usual_up,
    agent_entities,
    gaps,
    gap_seconds,
    entities,
    service_entities,
    peer_entities,
    {{ score_columns('proxy') }},
    {{ score_slice() }}
from measured
