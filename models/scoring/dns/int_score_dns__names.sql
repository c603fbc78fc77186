with parts as (
    {{ rows_of_run(ref('int_score_dns__parts'), "name is not null and name <> ''") }}
),

suffixes as (
    {{ lookups_of('dns', ref('stg_lookups__public_suffixes')) }}
),

names as (
    select distinct name from parts
),

{{ score_domains('names') }}

select
    name,
    domain,
    {{ key64('domain') }} as p,
    case
        when char_length(name) > char_length(domain) then char_length(name) - char_length(domain) - 1
        else 0
    end as below,
    {{ score_slice() }}
from domains
