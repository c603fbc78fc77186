{# The length of the memory in days with telemetry. A mask of dates has 63 bits. #}
{% macro score_days() %}
    {{ return([var('score_days') | int, 60] | min) }}
{% endmacro %}

{#
    The services and peers of each entity, from today's groups and the memory, for the state of the
    date. `days` is a mask of dates as a number: bit 0 is the date itself, bit n the nth scored date
    before it; dates without telemetry have none.

    Today's services (`ek`) and peers (`ep`) come from the CTE `day_groups`; `more` lists others,
    each with kind, column and CTE. Items without a bit in the memory's days are left out, and so is
    a state with other keys (key64()).

    The state is read here by its table name, and another model writes the result to it: so no model
    reads the table that it overwrites, which not every engine and kind of table allows.
#}
{% macro score_seen(pipeline, more=[]) %}
    {%- set history = spot_oa.score_history() -%}
    {%- set state = this.incorporate(path={'identifier': 'score_' ~ pipeline ~ '_seen'}) -%}
    today as (
        {%- for kind, column, groups in [('ek', 'k', 'day_groups'), ('ep', 'p', 'day_groups')] + more %}
        select distinct
            '{{ kind }}' as kind,
            way,
            e,
            {{ column }} as item
        from {{ groups }}
        {%- if not loop.last %}
        union all
        {%- endif %}
        {%- endfor %}
    ),

    with_own_key as (
        select kind, way, e, item from today
        {%- if var('scoring') %}
        union all
        select
            'id' as kind,
            '' as way,
            cast(0 as bigint) as e,
            {{ spot_oa.key64("'spot-oa'") }} as item
        {%- endif %}
    ),
    {% if history %}
    kept as (
        select kind, way, e, item, days
        from {{ state }}
        where {{ spot_oa.score_dates_condition(history[:1]) }}
    ),

    same_keys as (
        select kept.item
        from kept
        where kept.kind = 'id' and kept.item = {{ spot_oa.key64("'spot-oa'") }}
    ),
    {% endif %}
    marked as (
        select kind, way, e, item, cast(1 as bigint) as days from with_own_key
        {%- if history %}
        union all
        select
            kind,
            way,
            e,
            item,
            (days % {{ 2 ** 62 }}) * 2 as days
        from kept
        where exists (select 1 from same_keys)
        {%- endif %}
    ),

    together as (
        select kind, way, e, item, sum(days) as days from marked group by kind, way, e, item
    )

    select
        kind,
        way,
        cast(e as bigint) as e,
        cast(item as bigint) as item,
        cast(days as bigint) as days,
        {{ spot_oa.score_slice() }}
    from together
    where days % {{ 2 ** (spot_oa.score_days() + 1) }} > 0
{%- endmacro %}

{# The raw events of the scored date, for a CTE; none if the variable `scoring` is not set. #}
{% macro score_telemetry(relation, where='1 = 1') %}
    {{- spot_oa.rows_of_run(relation, where if var('scoring') else '1 = 0') -}}
{% endmacro %}

{#
    CTEs of the memory, by grain, from the CTE `seen`: entities by way; services and peers with
    their number of entities; known entities; services and peers of an entity before today.
#}
{% macro score_memory() %}
    {%- set reach = 2 ** (spot_oa.score_days() + 1) -%}
    {{ spot_oa.score_forgotten() }},

    {# `days` covers the date and the memory, `before` the memory without items that stay new. #}
    remembered as (
        select
            seen.kind,
            seen.way,
            seen.e,
            seen.item,
            seen.days % {{ reach }} as days,
            seen.days % {{ reach }}
            - (seen.days % {{ reach }}) % cast(
                pow(2, 1 + coalesce(forgotten.row_age, forgotten_peers.row_age, 0)) as bigint
            ) as before
        from seen
        left join forgotten
            on
                seen.kind = forgotten.kind
                and seen.e = forgotten.e
                and seen.item = forgotten.item
        left join forgotten_peers
            on seen.kind = 'ep' and seen.item = forgotten_peers.p
    ),

    memory as (
        select max(case when kind = 'id' and days > 1 then 1 else 0 end) as there from remembered
    ),

    entities as (
        select way, count(distinct e) as entities from remembered where kind = 'ek' group by way
    ),

    services as (
        select way, item as k, count(*) as entities
        from remembered
        where kind = 'ek'
        group by way, item
    ),

    peers_by_way as (
        select
            way, item as p, count(*) as entities, max(case when before > 0 then 1 else 0 end) as met
        from remembered
        where kind = 'ep'
        group by way, item
    ),

    {# `met` is 1 if anybody met the peer before, in any way. #}
    peers as (
        select way, p, entities, max(met) over (partition by p) as met from peers_by_way
    ),

    known as (
        select distinct e from remembered where kind = 'ek' and way <> 'in' and days > 1
    ),

    used as (
        select way, e, item as k from remembered where kind = 'ek' and before > 0
    ),

    met as (
        select way, e, item as p from remembered where kind = 'ep' and before > 0
    )
{%- endmacro %}

{# The reasons that every pipeline has; they need the joins of score_shared_joins(). #}
{% macro score_shared_reasons() %}
    {{ spot_oa.l2('cast(entities.entities + 1 as double) / (services.entities - 0.5)') }} as svc,
    case when known.e is not null and used.e is null then 1 else 0 end as newsvc,
    {{ spot_oa.l2('cast(entities.entities + 1 as double) / (peers.entities - 0.5)') }} as peer,
    case when known.e is not null and met.e is null then 1 else 0 end as newpeer,
    case when memory.there = 1 and peers.met = 0 then 1 else 0 end as newnet
{%- endmacro %}

{# The joins of groups to the CTEs of score_memory() for score_shared_reasons(). #}
{% macro score_shared_joins() %}
    cross join memory
    left join entities on day_groups.way = entities.way
    left join services on day_groups.way = services.way and day_groups.k = services.k
    left join peers on day_groups.way = peers.way and day_groups.p = peers.p
    left join known on day_groups.e = known.e
    left join used on day_groups.way = used.way and day_groups.e = used.e and day_groups.k = used.k
    left join met on day_groups.way = met.way and day_groups.e = met.e and day_groups.p = met.p
{%- endmacro %}

{# CTEs `<name>`: the median bin of each (way, k) of the CTE `bins` (way, k, bin), or 0. #}
{% macro score_medians(name, bins, least=1) %}
    {{ name }}_histogram as (
        select way, k, bin, count(*) as members from {{ bins }} group by way, k, bin
    ),

    {{ name }}_cumulated as (
        select
            way,
            k,
            bin,
            sum(members) over (partition by way, k order by bin) as members_so_far,
            sum(members) over (partition by way, k) as members
        from {{ name }}_histogram
    ),

    {{ name }} as (
        select way, k, min(bin) as bin
        from {{ name }}_cumulated
        where 2 * members_so_far >= members and members >= {{ least }}
        group by way, k
    )
{%- endmacro %}

{#
    CTE `few`: groups of 9 events or more whose peer has few entities; only their gaps are computed.
#}
{% macro score_few() %}
    {{ spot_oa.score_memory() }},

    few as (
        select day_groups.e, day_groups.p, day_groups.k
        from day_groups
        left join peers on day_groups.way = peers.way and day_groups.p = peers.p
        left join entities on day_groups.way = entities.way
        where
            day_groups.events >= 9
            and (peers.entities <= 3 or 50 * peers.entities <= entities.entities)
    )
{%- endmacro %}

{# Gaps between the events of the CTE `chosen` (e, p, k, second), where they are long enough. #}
{% macro score_gaps() %}
    gaps as (
        select
            e,
            p,
            k,
            cast(
                second - lag(second) over (partition by e, p, k order by second) as bigint
            ) as gap
        from chosen
    )

    select
        e,
        p,
        k,
        count(*) as gaps,
        cast(sum(gap) as bigint) as seconds,
        cast(sum(gap * gap) as bigint) as squares,
        {{ spot_oa.score_slice() }}
    from gaps
    where gap is not null
    group by e, p, k
    having count(*) >= 8 and sum(gap) >= 5 * count(*)
{%- endmacro %}

{#
    The regularity of the gaps: 4 mean gaps / deviation, where the deviation is at least 2 % and a
    second.
#}
{% macro score_beacon() %}
    {{ return(spot_oa.l2("4 * cast(regular.seconds as double) / greatest(sqrt(cast(regular.gaps * "
        ~ "regular.squares - regular.seconds * regular.seconds as double)), cast(0.02 as double) * "
        ~ "regular.seconds, cast(regular.gaps as double))")) }}
{% endmacro %}
