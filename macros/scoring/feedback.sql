{#
    Labels of events of earlier dates as labels of their groups, from the CTE `labelled` (e, p, k
    and what Python wrote): of a user and a group the newest counts.
#}
{% macro score_labels() %}
    newest as (
        select
            *,
            row_number() over (
                partition by author, e, p, k order by label_no desc
            ) as place
        from labelled
    )

    select
        cast(e as bigint) as e,
        cast(p as bigint) as p,
        cast(k as bigint) as k,
        label_no,
        severity,
        weight,
        row_age,
        is_new_service,
        is_new_peer,
        is_new_to_network,
        {{ spot_oa.score_slice() }}
    from newest
    where place = 1
{%- endmacro %}

{#
    CTEs from the CTE `labels`: bits for the very group, for its peer and service whoever the
    client is, and for its client and service whatever the peer is. Weights are in millionths.
#}
{% macro score_feedback() %}
    {%- set grains = [
        ('same_group', 'e, p, k', 16, 16, 16),
        ('same_service', 'p, k', 6, 6, 12),
        ('same_habit', 'e, k', 1, 0.5, 3),
    ] -%}
    {%- for name, keys, up, down, most in grains %}
    {{ name }} as (
        select
            {{ keys }},
            max(label_no) as label_no,
            least({{ most }}, greatest(-{{ most }}, cast(sum(
                case severity
                    when 1 then {{ up }} * cast(weight as double)
                    when 3 then -{{ down }} * cast(weight as double)
                    else 0
                end
            ) as double) / 1000000)) as bits
        from labels
        where severity in (1, 3)
        group by {{ keys }}
    ){{ ',' if not loop.last }}
    {% endfor %}
{%- endmacro %}

{# Bits that labels add to a group or take from it; not of an outsider's peer and service. #}
{% macro score_feedback_sum(groups) %}
    {{ return(
        "round(coalesce(same_group.bits, 0) + case when " ~ groups ~ ".way = 'in' then 0 else "
        ~ "coalesce(same_service.bits, 0) end + coalesce(same_habit.bits, 0), 4)"
    ) }}
{% endmacro %}

{% macro score_feedback_joins(groups) %}
    left join same_group
        on
            {{ groups }}.e = same_group.e
            and {{ groups }}.p = same_group.p
            and {{ groups }}.k = same_group.k
    left join same_service
        on {{ groups }}.p = same_service.p and {{ groups }}.k = same_service.k
    left join same_habit
        on {{ groups }}.e = same_habit.e and {{ groups }}.k = same_habit.k
{%- endmacro %}

{#
    What was news when it was judged High or Medium stays news: a CTE `forgotten` of (kind, e,
    item, row_age), from the CTE `labels`. `row_age` is how many days ago the row was: what was
    seen on that date and later does not count as remembered.
#}
{% macro score_forgotten() %}
    forgotten as (
        select 'ek' as kind, e, k as item, max(row_age) as row_age
        from labels
        where severity in (1, 2) and is_new_service = 1
        group by e, k
        union all
        select 'ep' as kind, e, p as item, max(row_age) as row_age
        from labels
        where severity in (1, 2) and is_new_peer = 1
        group by e, p
    ),

    forgotten_peers as (
        select p, max(row_age) as row_age
        from labels
        where severity in (1, 2) and is_new_to_network = 1
        group by p
    )
{%- endmacro %}
