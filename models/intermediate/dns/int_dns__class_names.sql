{#
    The class of a DNS answer is text with several possible spellings. Parses each distinct spelling
    only once: a day has few of them, and the regular expressions are expensive.
#}
with answers as (
    {{ rows_of_run(ref('int_dns__answers_filtered')) }}
),

results as (
    {{ rows_of_run(ref('stg_landed__dns_results')) }}
),

classes as (
    select * from {{ ref('dns_classes') }}
),

spellings as (
    select
        dns_qry_class,
        y,
        m,
        d
    from answers
    where dns_qry_class is not null
    union distinct
    select
        dns_qry_class,
        y,
        m,
        d
    from results
    where dns_qry_class is not null
)

select
    spellings.dns_qry_class,
    {{ code_name('spellings.dns_qry_class', 'classes') }} as dns_qry_class_name,
    spellings.y,
    spellings.m,
    spellings.d
from spellings
left join classes
    on {{ dns_class_code('spellings.dns_qry_class') }} = classes.code
