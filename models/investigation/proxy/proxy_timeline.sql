with requests as (
    {{ rows_of_run(ref('int_proxy__story_requests')) }}
),

stories as (
    {{ stories_of_run(ref('stg_landed__proxy_stories')) }}
),

status_codes as (
    select
        cast(code as string) as code,
        name
    from {{ ref('http_status_codes') }}
),

clients as (
    select
        fulluri,
        clientip,
        run_date,
        row_number() over (
            partition by fulluri, run_date
            order by count(*) desc, clientip asc
        ) as place
    from requests
    where clientip is not null
    group by fulluri, clientip, run_date
),

top_clients as (
    select
        clients.fulluri,
        clients.clientip,
        clients.run_date
    from clients
    inner join stories
        on clients.fulluri = stories.anchor and clients.run_date = stories.run_date
    where clients.place <= stories.top_results
),

moments as (
    select
        requests.fulluri,
        requests.tdate,
        requests.time,
        sum(requests.duration) as duration,
        requests.clientip,
        requests.respcode,
        requests.y,
        requests.m,
        requests.d
    from requests
    inner join top_clients
        on
            requests.fulluri = top_clients.fulluri
            and requests.clientip = top_clients.clientip
            and requests.run_date = top_clients.run_date
    group by
        requests.fulluri,
        requests.tdate,
        requests.time,
        requests.clientip,
        requests.respcode,
        requests.y,
        requests.m,
        requests.d
),

timed as (
    select
        *,
        {{ date_text_number('tdate') }} as day_number,
        {{ time_text_seconds('time') }} as seconds
    from moments
),

numbered as (
    select
        *,
        row_number() over (
            partition by fulluri, y, m, d
            order by
                day_number asc nulls last,
                {{ earliest_first('seconds', ['tdate', 'time', 'clientip', 'respcode']) }}
        ) as place
    from timed
)

select
    -- the anchor, and the time
    cast(numbered.fulluri as string) as p_threat,
    cast(concat(numbered.tdate, ' ', numbered.time) as string) as tstart,
    cast(concat(numbered.tdate, ' ', numbered.time) as string) as tend,
    cast(numbered.duration as bigint) as duration,

    -- the client, and the response
    cast(numbered.clientip as string) as clientip,
    cast(numbered.respcode as string) as respcode,
    cast({{ code_name('numbered.respcode', 'status_codes') }} as string) as respcodename,

    -- slice
    cast(numbered.y as int) as y,
    cast(numbered.m as int) as m,
    cast(numbered.d as int) as d
from numbered
left join status_codes
    on numbered.respcode = status_codes.code
where numbered.place <= {{ var('story_limit') }}
