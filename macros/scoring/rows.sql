{#
    The groups whose events are looked up, from the CTE `scored`: those with results within the
    caps, and as many of the others as the limit of results. All ties are included.
#}
{% macro score_top() %}
    {%- set pair, service = var('score_rows_per_pair'), var('score_rows_per_service') -%}
    placed as (
        select
            *,
            rank() over (partition by way, e, p order by bits desc) as place_in_pair,
            rank() over (partition by way, e, k order by bits desc) as place_in_service,
            rank() over (order by bits desc) as place
        from scored
    ),

    top as (
        select *
        from placed
        where
            place <= {{ var('score_limit') }}
            {% if pair > 0 or service > 0 -%}
            or (
                {{ 'place_in_pair <= %d' % pair if pair > 0 else '1 = 1' }}
                and {{ 'place_in_service <= %d' % service if service > 0 else '1 = 1' }}
            )
            {%- endif %}
    )
{%- endmacro %}

{#
    CTE `of_day`, one row: events of the date, events with a client and a peer, and whether flows
    are ever answered; the number of remembered dates. From the CTEs `parts`, `profile` and
    `day_groups`.
#}
{% macro score_of_day(pipeline) %}
    received as (
        select sum(events) as events from parts
    ),

    remembered as (
        select max(has_memory) as dates from profile
    ),

    of_day as (
        select
            max(received.events) as events,
            max(remembered.dates) as memory,
            sum(day_groups.events) as scored,
            {% if pipeline == 'flow' -%}
            case
                when 20 * sum(case when day_groups.down = 0 then 0 else 1 end) < count(*) then 0
                else 1
            end as is_answered
            {%- else -%}
            1 as is_answered
            {%- endif %}
        from day_groups
        cross join received
        cross join remembered
    )
{%- endmacro %}

{#
    The results: events in their order, those beyond the caps after all others. From the CTE
    `events`, with the bits of their groups and `sent`, the bytes that their client sent.

    `keys` are the columns of the results file that break ties, `columns` further columns to pass
    on.
#}
{% macro score_rows(pipeline, second, keys, columns) %}
    {%- set pair, service = var('score_rows_per_pair'), var('score_rows_per_service') -%}
    {%- set order = [second ~ ' nulls last'] -%}
    {%- for key in keys -%}
        {%- do order.append('cast(' ~ key ~ ' as string) nulls last') -%}
    {%- endfor -%}
    {%- set order = order | join(', ') -%}
    in_pair as (
        select
            *,
            row_number() over (
                partition by way, e, p
                order by bits desc, sent desc, {{ order }}
            ) as place_in_pair
        from events
    ),

    paired as (
        select
            *,
            {{ 'case when place_in_pair <= %d then 0 else 1 end' % pair if pair > 0 else '0' }}
                as beyond_pair
        from in_pair
    ),

    in_service as (
        select
            *,
            row_number() over (
                partition by way, e, k, beyond_pair
                order by bits desc, sent desc, {{ order }}
            ) as place_in_service
        from paired
    ),

    capped as (
        select
            *,
            case
                when beyond_pair = 1 then 1
                {{ 'when place_in_service > %d then 1' % service if service > 0 else '' }}
                else 0
            end as is_beyond
        from in_service
    ),

    last_within as (
        select min(bits) as bits from capped where is_beyond = 0
    ),

    ranked as (
        select
            capped.*,
            case
                when capped.is_beyond = 1 then least(capped.bits, last_within.bits)
                else capped.bits
            end as shown_bits,
            row_number() over (
                order by capped.is_beyond, capped.bits desc, {{ order }}
            ) as place
        from capped
        cross join last_within
    )

    select
        cast(place as int) as rank,
        cast(pow(cast(2 as double), -shown_bits) as double) as score,
        cast(bits as double) as bits,
        {% for column in keys + columns + spot_oa.score_facts(pipeline) -%}
        ranked.{{ column }},
        {% endfor -%}
        way,
        {% for reason in spot_oa.score_reasons(pipeline) -%}
        {{ reason.name }},
        b_{{ reason.name }},
        {% endfor -%}
        feedback,
        cast(label_of_group as int) as label_of_group,
        cast(label_of_service as int) as label_of_service,
        cast(label_of_habit as int) as label_of_habit,
        cast(is_known_bad as int) as is_known_bad,
        cast(of_day.events as bigint) as day_events,
        cast(of_day.memory as int) as day_memory,
        cast(of_day.scored as bigint) as day_scored,
        cast(of_day.is_answered as int) as day_is_answered,
        {{ spot_oa.score_slice() }}
    from ranked
    cross join of_day
    where place <= {{ var('score_limit') }}
{%- endmacro %}

{# The CTE `raw_events` joined to their groups in the CTE `scored`. #}
{% macro score_events_with_bits(pipeline) %}
    select
        raw_events.*,
        scored.way,
        scored.bits,
        scored.feedback,
        same_group.label_no as label_of_group,
        case when scored.way <> 'in' then same_service.label_no end as label_of_service,
        same_habit.label_no as label_of_habit,
        case when bad_client.bad is null and bad_peer.bad is null then 0 else 1 end as is_known_bad,
        {% for fact in spot_oa.score_facts(pipeline) -%}
        scored.{{ fact }},
        {% endfor -%}
        {% for reason in spot_oa.score_reasons(pipeline) -%}
        scored.{{ reason.name }},
        scored.b_{{ reason.name }}{{ ',' if not loop.last }}
        {% endfor %}
    from raw_events
    left join scored
        on raw_events.e = scored.e and raw_events.p = scored.p and raw_events.k = scored.k
    {{ spot_oa.score_feedback_joins('raw_events') }}
{%- endmacro %}
