with day_groups as (
    {{ rows_of_run(ref('int_score_flow__groups')) }}
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
),

{{ score_seen('today') }}
