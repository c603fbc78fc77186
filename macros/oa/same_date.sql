{# Join condition: two relations' rows belong to the same date's slice. #}
{% macro same_date(one, other) %}
    {%- set terms = [] -%}
    {%- for part in ['y', 'm', 'd'] -%}
        {%- do terms.append(one ~ '.' ~ part ~ ' = ' ~ other ~ '.' ~ part) -%}
    {%- endfor -%}
    {{ return(terms | join(' and ')) }}
{% endmacro %}
