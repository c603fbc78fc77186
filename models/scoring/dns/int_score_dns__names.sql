with parts as (
    {{ rows_of_run(ref('int_score_dns__parts'), "name is not null and name <> ''") }}
),

suffixes as (
    {{ lookups_of('dns', ref('stg_lookups__public_suffixes')) }}
),

labelled as (
    {{ rows_of_run(ref('stg_landed__dns_score_labels')) }}
),

all_names as (
    select name from parts
    union distinct
    select {{ dns_name_key('dns_qry_name') }} as name from labelled
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
    case
        when char_length(name) > char_length(domain)
            then char_length(name) - char_length(domain) - 1
        else 0
    end as below,
    {{ score_slice() }}
from domains
