{#
    Labels of events of earlier dates as labels of their groups, from the CTE `labelled` (way, e, p, k
    and the columns written by Python): the newest label of a user and a group counts.
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
        way,
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
        cast(bad as bigint) as bad,
        {{ spot_oa.score_slice() }}
    from newest
    where place = 1
{%- endmacro %}

{#
    CTEs from the CTE `labels`: bits for the same group, for its peer and service with any client,
    and for its client and service with any peer; a label of an outside client does not count for
    the peer and service. Weights are in millionths. `known_bad` are clients and peers that a
    reputation service rated high on an earlier date: rows with severity 0, which are not labels.
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
        where severity in (1, 3){{ " and way <> 'in'" if name == 'same_service' }}
        group by {{ keys }}
    ),

    {% endfor %}
    known_bad as (
        select distinct bad from labels where severity = 0
    )
{%- endmacro %}

{#
    Bits that labels add to a group or subtract from it; without those for the peer and service of
    an outside client.
#}
{% macro score_feedback_sum(groups) %}
    {{ return(spot_oa.round4(
        "coalesce(same_group.bits, 0) + case when " ~ groups ~ ".way = 'in' then 0 else "
        ~ "coalesce(same_service.bits, 0) end + coalesce(same_habit.bits, 0)"
    )) }}
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
    left join known_bad as bad_client
        on {{ groups }}.e = bad_client.bad
    left join known_bad as bad_peer
        on {{ groups }}.p = bad_peer.bad
{%- endmacro %}

{#
    What was new when it was labelled High or Medium stays new: a CTE `forgotten` of (kind, e, item,
    row_age), from the CTE `labels`. `row_age` is the age of the row in days: items seen on that
    date and later do not count as remembered.
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

{# Like score_feedback_sum(), but labels subtract nothing where an end is known to be bad. #}
{% macro score_feedback_bits(groups) %}
    {{ return(
        "case when bad_client.bad is null and bad_peer.bad is null then "
        ~ spot_oa.score_feedback_sum(groups) ~ " else greatest(cast(0 as double), "
        ~ spot_oa.score_feedback_sum(groups) ~ ") end"
    ) }}
{% endmacro %}
