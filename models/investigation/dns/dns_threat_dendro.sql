with stories as (
    {{ stories_of_run(ref('stg_landed__dns_stories')) }}
),

answers as (
    {{ rows_of_run(ref('int_dns__story_answers')) }}
),

leaves as (
    select
        ip_dst as anchor,
        count(*) as total,
        dns_qry_name,
        ip_dst,
        'client' as anchor_kind,
        y,
        m,
        d
    from answers
    where is_of_client = 1 and dns_qry_name is not null
    group by ip_dst, dns_qry_name, y, m, d
    union all
    select
        stories.anchor,
        count(*) as total,
        stories.anchor as dns_qry_name,
        answers.ip_dst,
        'query' as anchor_kind,
        answers.y,
        answers.m,
        answers.d
    from answers
    inner join stories
        on
            answers.name_key = {{ dns_name_key('stories.anchor') }}
            and answers.run_date = stories.run_date
    where answers.is_of_query = 1 and stories.anchor_kind = 'query' and answers.ip_dst is not null
    group by stories.anchor, answers.ip_dst, answers.y, answers.m, answers.d
),

numbered as (
    select
        *,
        row_number() over (
            partition by anchor_kind, anchor, y, m, d
            order by total desc, dns_qry_name asc, ip_dst asc
        ) as place
    from leaves
)

select
    -- the anchor, and the number of answers
    cast(anchor as string) as anchor,
    cast(total as bigint) as total,

    -- name and client
    cast(dns_qry_name as string) as dns_qry_name,
    cast(ip_dst as string) as ip_dst,

    -- slice
    cast(y as int) as y,
    cast(m as int) as m,
    cast(d as int) as d
from numbered
where place <= {{ var('story_limit') }}
