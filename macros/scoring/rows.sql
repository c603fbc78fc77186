{#
    The groups whose events are looked for, from the CTE `scored`: those of which the caps let
    something through, and as many of the others as results are wanted. Ties are all in.
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
    The results: events in their order, those beyond the caps behind all others. From the CTE
    `events`, with the bits of their groups and `sent`, what their client sent.

    `keys` are the columns of the results file that tell equal ones apart, `columns` all others
    that are handed on.
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
        {{ column }},
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
        {{ spot_oa.score_slice() }}
    from ranked
    where place <= {{ var('score_limit') }}
{%- endmacro %}

{# The CTE `raw_events` with what is known of their groups, from the CTE `scored`. #}
{% macro score_events_with_bits(pipeline) %}
    select
        raw_events.*,
        scored.way,
        scored.bits,
        scored.feedback,
        same_group.label_no as label_of_group,
        case when scored.way <> 'in' then same_service.label_no end as label_of_service,
        same_habit.label_no as label_of_habit,
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
