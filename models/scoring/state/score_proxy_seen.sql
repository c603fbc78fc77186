with day_groups as (
    {{ rows_of_run(ref('int_score_proxy__groups')) }}
),

agents as (
    {{ rows_of_run(ref('int_score_proxy__agents')) }}
),

today as (
    select distinct
        'ek' as kind,
        way,
        e,
        k as item
    from day_groups
    union all
    select distinct
        'ep' as kind,
        way,
        e,
        p as item
    from day_groups
    union all
    select distinct
        'eu' as kind,
        way,
        e,
        agent as item
    from agents
),

{{ score_seen('today') }}
