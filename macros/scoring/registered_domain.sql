{#
    The registered domain of each name, by the public suffix list: CTEs up to `domains` (name,
    domain, domain_labels), from a CTE of distinct names in lower case without a final dot, and the
    CTE `suffixes`. The full name if it has no further labels, or is an address; `arpa` for reverse
    names.
#}
{% macro score_domains(names) %}
    {%- set label = '[^.]+' -%}
    tails as (
        select
            name,
            {% for n in range(1, 8) -%}
            regexp_extract(name, '({{ ([label] * n) | join('[.]') }})$', 1) as tail_{{ n }}
            {{- ',' if not loop.last }}
            {% endfor %}
        from {{ names }}
    ),

    sized as (
        select
            tails.*,
            {{ spot_oa.is_address('tails.name') }} as is_address,
            case
                {% for n in range(5, 0, -1) -%}
                when suffix_{{ n }}.suffix is not null
                    then {{ n }} + suffix_{{ n }}.registered_labels
                {% endfor -%}
                else 2
            end as domain_labels
        from tails
        {% for n in range(1, 6) -%}
        left join suffixes as suffix_{{ n }} on tails.tail_{{ n }} = suffix_{{ n }}.suffix
        {% endfor %}
    ),

    domains as (
        select
            name,
            is_address,
            case
                when is_address = 1 then name
                when name like '%.arpa' or name = 'arpa' then 'arpa'
                else coalesce(nullif(case domain_labels
                    {% for n in range(1, 8) -%}
                    when {{ n }} then tail_{{ n }}
                    {% endfor -%}
                end, ''), name)
            end as domain
        from sized
    )
{%- endmacro %}

{# 1 where the text is an IPv4 address in dotted quads or has the colons of an IPv6 address. #}
{% macro is_address(text) %}
    {{ return("case when " ~ text ~ " like '%:%:%' or regexp_extract(" ~ text
        ~ ", '^([0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3})$', 1) <> '' then 1 else 0 end") }}
{% endmacro %}
