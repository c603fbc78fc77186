{# The numbers of all reasons as columns, 0 where they do not count. #}
{% macro score_columns(pipeline) %}
    {%- for reason in spot_oa.score_reasons(pipeline) -%}
    {{ ', ' if not loop.first }}case when {{ reason.name }} >= {{ reason.least }} then cast({{ reason.name }} as int) else 0 end as {{ reason.name }}
    {%- endfor -%}
{%- endmacro %}

{#
    The share of an entity's groups that show a reason with number v, in millionths: one row per
    (way, e, reason, v). The groups of an entity have a total weight of 1.
#}
{% macro score_shares(pipeline) %}
    totals as (
        select way, e, count(*) as members from reasons group by way, e
    ),

    counted as (
        {% for reason in spot_oa.score_reasons(pipeline) %}
        {{ 'union all' if not loop.first }}
        select way, e, '{{ reason.name }}' as reason, {{ reason.name }} as v, count(*) as members
        from reasons
        where {{ reason.name }} > 0
        group by way, e, {{ reason.name }}
        {% endfor %}
    )

    select
        counted.way,
        counted.e,
        counted.reason,
        counted.v,
        cast(floor(1000000 * cast(counted.members as double) / totals.members) as bigint) as share,
        {{ spot_oa.score_slice() }}
    from counted
    left join totals on counted.way = totals.way and counted.e = totals.e
{%- endmacro %}

{#
    The stored profile of a date: the sums of its shares by (way, reason, v). `v` 0 counts the
    entities of the way, for each reason that is possible on the date; without a memory nothing is
    new.
#}
{% macro score_profile(pipeline) %}
    memory as (
        select
            max(
                {%- for n in range(1, spot_oa.score_days() + 1) %}
                {{ '+ ' if not loop.first }}case when days % {{ 2 ** (n + 1) }} >= {{ 2 ** n }} then 1 else 0 end
                {%- endfor %}
            ) as dates
        from seen
        where kind = 'id'
    ),

    sides as (
        select {{ spot_oa.score_side('way') }} as side, count(distinct e) as entities
        from day_groups
        group by {{ spot_oa.score_side('way') }}
    ),

    ways as (
        select 'out' as way
        union all
        select 'lat' as way
        union all
        select 'in' as way
    ),

    units as (
        select ways.way, sides.entities
        from ways
        left join sides on {{ spot_oa.score_side('ways.way') }} = sides.side
        where sides.entities > 0
    ),

    possible as (
        {% for reason in spot_oa.score_reasons(pipeline) %}
        {{ 'union all' if not loop.first }}
        select '{{ reason.name }}' as reason, {{ 1 if reason.memory else 0 }} as needs_memory
        {% endfor %}
    ),

    summed as (
        select
            shares.way,
            shares.reason,
            shares.v,
            sum(shares.share) as share,
            count(*) as entities
        from shares
        group by shares.way, shares.reason, shares.v
        union all
        select units.way, possible.reason, 0 as v, cast(0 as bigint) as share, units.entities
        from units
        cross join possible
    )

    select
        summed.way,
        summed.reason,
        cast(summed.v as int) as v,
        cast(summed.share as bigint) as share,
        cast(summed.entities as bigint) as entities,
        possible.needs_memory as is_of_memory,
        cast(memory.dates as int) as has_memory,
        {{ spot_oa.score_slice() }}
    from summed
    cross join memory
    left join possible on summed.reason = possible.reason
{%- endmacro %}

{#
    Bounds of the bits by (way, reason, v): `most` if all groups of the entity show the reason,
    `least` if none does. From CTEs `profile`, of the date and its memory, and `shares`.
#}
{% macro score_bits(pipeline) %}
    {%- set today = (spot_oa.run_dates() + [{'y': 0, 'm': 0, 'd': 0}])[0] -%}
    counted as (
        select
            *,
            case when y = {{ today.y }} and m = {{ today.m }} and d = {{ today.d }} then 1 else 0 end
                as is_today
        from profile
        where
            (y = {{ today.y }} and m = {{ today.m }} and d = {{ today.d }})
            or is_of_memory = 0
            or has_memory > 0
    ),

    units as (
        select way, reason, sum(entities) as units from counted where v = 0 group by way, reason
    ),

    shown as (
        select
            way,
            reason,
            v,
            sum(share) as share,
            max(case when is_today = 0 then v else 0 end) as before
        from counted
        where v > 0
        group by way, reason, v
    ),

    cumulated as (
        select
            way,
            reason,
            v,
            sum(share) over (partition by way, reason order by v desc) as share,
            max(before) over (partition by way, reason) as before
        from shown
    ),

    highest as (
        select way, e, reason, max(v) as v from shares group by way, e, reason
    ),

    tops as (
        select way, reason, v, count(*) as entities from highest group by way, reason, v
    ),

    placed as (
        select
            way,
            reason,
            v,
            entities,
            row_number() over (partition by way, reason order by v desc) as place
        from tops
    ),

    ends as (
        select
            way,
            reason,
            max(v) as top,
            max(case when place = 1 then entities else 0 end) as top_entities,
            max(case when place = 2 or entities > 1 then v else 0 end) as second
        from placed
        where place <= 2
        group by way, reason
    ),

    least_of as (
        {% for reason in spot_oa.score_reasons(pipeline) %}
        {{ 'union all' if not loop.first }}
        select
            '{{ reason.name }}' as reason,
            {{ reason.least }} as least,
            {{ 1 if reason.beyond else 0 }} as goes_beyond
        {% endfor %}
    ),

    joined as (
        select
            cumulated.way,
            cumulated.reason,
            cumulated.v,
            cumulated.share,
            units.units,
            ends.top,
            ends.top_entities,
            least_of.goes_beyond,
            cumulated.before as floor_before,
            greatest(cumulated.before, ends.second) as others_most
        from cumulated
        left join units on cumulated.way = units.way and cumulated.reason = units.reason
        left join ends on cumulated.way = ends.way and cumulated.reason = ends.reason
        left join least_of on cumulated.reason = least_of.reason
    )

    select
        way,
        reason,
        cast(v as int) as v,
        cast(share as bigint) as share,
        cast(units as bigint) as units,
        cast(top as int) as top,
        cast(top_entities as bigint) as top_entities,
        cast(floor_before as int) as floor_before,
        cast(others_most as int) as others_most,
        cast(goes_beyond as int) as goes_beyond,
        {{ spot_oa.score_surprise('greatest(share - 1000000, 0)', 'units') }}
        + case
            when goes_beyond = 1 and v > others_most
                then least({{ var('score_extension') }}, v - others_most)
            else 0
        end as most,
        {{ spot_oa.score_surprise('share', 'units') }} as least,
        {{ spot_oa.score_slice() }}
    from joined
{%- endmacro %}

{# The sum of a group's bits over families; `prefix` gives the columns of the reasons' bits. #}
{% macro score_sum(pipeline, prefix, way) %}
    {%- set by = {'what': [], 'who': [], 'much': [], 'often': []} -%}
    {%- for reason in spot_oa.score_reasons(pipeline) -%}
        {%- do by[reason.family].append(prefix ~ reason.name) -%}
    {%- endfor -%}
    {%- set families = [] -%}
    {%- for family in ('much', 'often') -%}
        {%- do families.append(
            by[family][0] if by[family] | length == 1 else 'greatest(' ~ by[family] | join(', ') ~ ')'
        ) -%}
    {%- endfor -%}
    {{ return(
        '(' ~ (by['what'] + by['who']) | join(' + ') ~ ' + cast(' ~ var('score_much')
        ~ ' as double) * ' ~ families[0] ~ ' + ' ~ families[1] ~ ') * case when ' ~ way
        ~ " = 'in' then cast(" ~ var('score_in') ~ ' as double) else cast(1 as double) end'
    ) }}
{% endmacro %}

{#
    Groups that can be among the first results: those whose highest possible bits reach the lowest
    possible bits of the pair that is certainly the last of them. From CTEs `reasons`, `bits` and
    those of score_feedback().
#}
{% macro score_candidates(pipeline) %}
    {%- set reasons = spot_oa.score_reasons(pipeline) -%}
    {%- set pair, service = var('score_rows_per_pair'), var('score_rows_per_service') -%}
    {{ spot_oa.score_feedback() }},

    {% for reason in reasons -%}
    bits_{{ reason.name }} as (
        select way, v, most, least from bits where reason = '{{ reason.name }}'
    ),

    {% endfor -%}
    bounded as (
        select
            reasons.way,
            reasons.e,
            reasons.p,
            reasons.k,
            {% for reason in reasons -%}
            coalesce(bits_{{ reason.name }}.most, cast(0 as double)) as most_{{ reason.name }},
            coalesce(bits_{{ reason.name }}.least, cast(0 as double)) as least_{{ reason.name }},
            {% endfor -%}
            {{ spot_oa.score_feedback_bits('reasons') }} as feedback
        from reasons
        {% for reason in reasons -%}
        left join bits_{{ reason.name }}
            on
                reasons.way = bits_{{ reason.name }}.way
                and reasons.{{ reason.name }} = bits_{{ reason.name }}.v
        {% endfor -%}
        {{ spot_oa.score_feedback_joins('reasons') }}
    ),

    added as (
        select
            way,
            e,
            p,
            k,
            feedback,
            greatest(cast(0 as double), {{ spot_oa.score_sum(pipeline, 'most_', 'way') }} + feedback)
                as most,
            greatest(cast(0 as double), {{ spot_oa.score_sum(pipeline, 'least_', 'way') }} + feedback)
                as least
        from bounded
    ),

    {% if service > 0 -%}
    in_service as (
        select
            *,
            row_number() over (partition by way, e, k order by least desc, p) as place
        from added
    ),
    {%- else -%}
    in_service as (
        select *, 1 as place from added
    ),
    {%- endif %}

    certain as (
        select way, e, p, max(least) as least
        from in_service
        where place <= {{ [(service / pair) | round(0, 'ceil') | int, 1] | max if pair > 0 and service > 0 else [service, 1] | max }}
        group by way, e, p
    ),

    ranked as (
        select least, row_number() over (order by least desc) as place from certain
    ),

    bound as (
        select min(least) as least, count(*) as pairs from ranked where place <= {{ var('score_limit') }}
    )

    select
        added.way,
        added.e,
        added.p,
        added.k,
        cast(added.feedback as double) as feedback,
        {{ spot_oa.score_slice() }}
    from added
    cross join bound
    where added.most >= bound.least or bound.pairs < {{ var('score_limit') }}
{%- endmacro %}

{#
    The candidates with their bits, and those of each reason. From CTEs `candidates`, `reasons`,
    `bits` and `shares`.
#}
{% macro score_scored(pipeline) %}
    {%- set reasons = spot_oa.score_reasons(pipeline) -%}
    chosen as (
        select
            reasons.*,
            candidates.feedback
        from candidates
        left join reasons
            on
                candidates.way = reasons.way
                and candidates.e = reasons.e
                and candidates.p = reasons.p
                and candidates.k = reasons.k
    ),

    wanted as (
        select distinct way, e from chosen
    ),

    own_shares as (
        select shares.way, shares.e, shares.reason, shares.v, shares.share
        from shares
        where exists (select 1 from wanted where wanted.way = shares.way and wanted.e = shares.e)
    ),

    own as (
        select
            way,
            e,
            reason,
            v,
            sum(share) over (partition by way, e, reason order by v desc) as share,
            max(v) over (partition by way, e, reason) as highest
        from own_shares
    ),

    exact as (
        select
            own.way,
            own.e,
            own.reason,
            own.v,
            {{ spot_oa.score_surprise('bits.share - own.share', 'bits.units') }} as surprise,
            bits.goes_beyond,
            case
                when own.highest = bits.top and bits.top_entities = 1 then bits.others_most
                else greatest(bits.floor_before, bits.top)
            end as others_most
        from own
        left join bits
            on own.way = bits.way and own.reason = bits.reason and own.v = bits.v
    ),

    with_extension as (
        select
            way,
            e,
            reason,
            v,
            surprise + case
                when goes_beyond = 1 and v > others_most
                    then least({{ var('score_extension') }}, v - others_most)
                else 0
            end as bits
        from exact
    ),

    {% for reason in reasons -%}
    own_{{ reason.name }} as (
        select way, e, v, bits from with_extension where reason = '{{ reason.name }}'
    ),

    {% endfor -%}
    weighed as (
        select
            chosen.*,
            {% for reason in reasons -%}
            coalesce(own_{{ reason.name }}.bits, cast(0 as double)) as b_{{ reason.name }}
            {{- ',' if not loop.last }}
            {% endfor %}
        from chosen
        {% for reason in reasons -%}
        left join own_{{ reason.name }}
            on
                chosen.way = own_{{ reason.name }}.way
                and chosen.e = own_{{ reason.name }}.e
                and chosen.{{ reason.name }} = own_{{ reason.name }}.v
        {% endfor %}
    )

    select
        way,
        e,
        p,
        k,
        {% for column in spot_oa.score_facts(pipeline) -%}
        {{ column }},
        {% endfor -%}
        {% for reason in reasons -%}
        {{ reason.name }},
        cast(b_{{ reason.name }} as double) as b_{{ reason.name }},
        {% endfor -%}
        cast(feedback as double) as feedback,
        {{ spot_oa.round4("greatest(cast(0 as double), " ~ spot_oa.score_sum(pipeline, 'b_', 'way')
            ~ " + feedback)") }} as bits,
        {{ spot_oa.score_slice() }}
    from weighed
{%- endmacro %}
