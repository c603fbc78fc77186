with day_groups as (
    {{ rows_of_run(ref('int_score_dns__groups')) }}
),

names as (
    {{ rows_of_run(ref('int_score_dns__names')) }}
),

pairs as (
    {{ rows_of_run(ref('int_score_dns__pairs')) }}
),

seen as (
    {{ rows_of_run(ref('int_score_dns__seen')) }}
),

regular as (
    {{ rows_of_run(ref('int_score_dns__regular')) }}
),

labels as (
    {{ rows_of_run(ref('int_score_dns__labels')) }}
),

{{ score_memory() }},

own_labels as (
    select distinct
        p,
        split_part(domain, '.', 1) as label
    from names
    where
        domain <> 'arpa'
        and exists (
            select 1
            from day_groups
            where day_groups.p = names.p
        )
),

shaped as (
    select
        p,
        char_length(label) as label_length,
        {{ score_share_of('label', '0123456789', 4) }} as digits,
        {{ score_share_of('label', 'aeiou', 6) }} as vowels
    from own_labels
),

shapes as (
    select
        label_length,
        digits,
        vowels,
        count(*) as domains
    from shaped
    group by label_length, digits, vowels
),

all_domains as (
    select count(*) as domains from shaped
),

gibberish as (
    select
        shaped.p,
        {{ l2('cast(all_domains.domains + 1 as double) / (shapes.domains - 0.5)') }} as rarity
    from shaped
    left join shapes
        on
            shaped.label_length = shapes.label_length
            and shaped.digits = shapes.digits
            and shaped.vowels = shapes.vowels
    cross join all_domains
),

of_pairs as (
    select
        e,
        p,
        max(longest_frame) as longest_frame,
        max(longest_below) as longest_below
    from day_groups
    group by e, p
),

nx as (
    select
        e,
        count(distinct p) as domains
    from day_groups
    where nx > 0
    group by e
),

measured as (
    select
        day_groups.way,
        day_groups.e,
        day_groups.p,
        day_groups.k,
        day_groups.events,
        of_pairs.longest_frame,
        of_pairs.longest_below,
        pairs.names as pair_names,
        nx.domains as nx_domains,
        regular.gaps,
        regular.seconds as gap_seconds,
        entities.entities,
        services.entities as service_entities,
        peers.entities as peer_entities,
        {{ score_shared_reasons() }},
        coalesce(gibberish.rarity, 0) as gibr,
        {{ l2('of_pairs.longest_below') }} as sublen,
        {{ l2('of_pairs.longest_frame') }} as frame,
        coalesce({{ score_beacon() }}, 0) as beacon,
        {{ l2('pairs.names') }} as names,
        case when day_groups.nx > 0 then {{ l2('nx.domains') }} else 0 end as nx
    from day_groups
    {{ score_shared_joins() }}
    left join regular
        on day_groups.e = regular.e and day_groups.p = regular.p and day_groups.k = regular.k
    left join gibberish
        on day_groups.p = gibberish.p
    left join of_pairs
        on day_groups.e = of_pairs.e and day_groups.p = of_pairs.p
    left join pairs
        on day_groups.e = pairs.e and day_groups.p = pairs.p
    left join nx
        on day_groups.e = nx.e
)

select
    way,
    e,
    p,
    k,
    events,
    longest_frame,
    longest_below,
    pair_names,
    nx_domains,
    gaps,
    gap_seconds,
    entities,
    service_entities,
    peer_entities,
    {{ score_columns('dns') }},
    {{ score_slice() }}
from measured
