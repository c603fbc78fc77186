with parts as (
    {{ rows_of_run(ref('int_score_proxy__parts'), 'name is not null') }}
),

suffixes as (
    {{ lookups_of('proxy', ref('stg_lookups__public_suffixes')) }}
),

labelled as (
    {{ rows_of_run(ref('stg_landed__proxy_score_labels')) }}
),

all_names as (
    select name from parts
    union distinct
    select {{ score_proxy_host('host') }} as name from labelled
),

names as (
    select name
    from all_names
    where name is not null and name <> ''
),

{{ score_domains('names') }}

select
    name,
    domain,
    {{ key64('domain') }} as p,
    is_address,
    {{ score_slice() }}
from domains
