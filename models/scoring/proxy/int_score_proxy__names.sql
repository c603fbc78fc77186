with parts as (
    {{ rows_of_run(ref('int_score_proxy__parts'), 'name is not null') }}
),

suffixes as (
    {{ lookups_of('proxy', ref('stg_lookups__public_suffixes')) }}
),

names as (
    select distinct name from parts
),

{{ score_domains('names') }}

select
    name,
    domain,
    {{ key64('domain') }} as p,
    is_address,
    {{ score_slice() }}
from domains
