{#
    Join condition: two relations' rows belong to the same date's slice. Both relations hold rows
    of the run's dates only, so in a run of one date there is nothing to compare; engines would
    hash and compare three more columns of every raw row.
#}
{% macro same_date(one, other) %}
    {%- if spot_oa.run_dates() | length == 1 -%}
        {{ return('1 = 1') }}
    {%- endif -%}
    {%- set terms = [] -%}
    {%- for part in ['y', 'm', 'd'] -%}
        {%- do terms.append(one ~ '.' ~ part ~ ' = ' ~ other ~ '.' ~ part) -%}
    {%- endfor -%}
    {{ return(terms | join(' and ')) }}
{% endmacro %}
