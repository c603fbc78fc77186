with telemetry as (
    {{ rows_of_run(ref('stg_telemetry__dns')) }}
),

stories as (
    {{ stories_of_run(ref('stg_landed__dns_stories')) }}
),

answers as (
    select
        *,
        {{ dns_name_key('dns_qry_name') }} as name_key
    from telemetry
),

clients as (
    select
        anchor,
        run_date
    from stories
    where anchor_kind = 'client'
),

{# Names that differ in case or a final dot can each have a story. #}
queries as (
    select distinct
        {{ dns_name_key('anchor') }} as name_key,
        run_date
    from stories
    where anchor_kind = 'query'
)

select
    answers.ip_dst,
    answers.dns_qry_name,
    answers.name_key,
    case when clients.anchor is null then 0 else 1 end as is_of_client,
    case when queries.name_key is null then 0 else 1 end as is_of_query,

    -- slice
    answers.y,
    answers.m,
    answers.d
from answers
left join clients
    on answers.ip_dst = clients.anchor and answers.run_date = clients.run_date
left join queries
    on answers.name_key = queries.name_key and answers.run_date = queries.run_date
where clients.anchor is not null or queries.name_key is not null
