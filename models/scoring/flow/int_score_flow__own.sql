with parts as (
    {{ rows_of_run(ref('int_score_flow__parts')) }}
),

networks as (
    {{ lookups_of('flow', ref('stg_lookups__own_networks')) }}
),

labelled as (
    {{ rows_of_run(ref('stg_landed__flow_score_labels')) }}
),

ends as (
    select client as address from parts
    union distinct
    select server as address from parts
    union distinct
    select srcip as address from labelled
    union distinct
    select dstip as address from labelled
),

addresses as (
    select address
    from ends
    where address is not null
),

halves as (
    select
        address,
        case when address like '%:%' then 6 else 4 end as version,
        split_part(address, '::', 1) as head,
        case when address like '%::%' then split_part(address, '::', 2) else '' end as tail
    from addresses
),

counted as (
    select
        *,
        case
            when head = '' then 0
            else length(head) - length(replace(head, ':', '')) + 1
        end as heads,
        case
            when tail = '' then 0
            else length(tail) - length(replace(tail, ':', '')) + 1
        end as tails
    from halves
),

written as (
    select
        address,
        version,
        {{ expanded_address('address', 'version', 'head', 'tail', 'heads', 'tails') }} as expanded
    from counted
)

select
    {{ key64('written.address') }} as address,
    {{ score_slice() }}
from written
where
    exists (
        select 1
        from networks
        where
            networks.version = written.version
            and written.expanded between networks.first_address and networks.last_address
    )
