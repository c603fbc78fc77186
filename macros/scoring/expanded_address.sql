{#
    An address with all its digits, so that texts compare as addresses do: `010.000.000.001`,
    `2001:0db8:0000:...`. IPv6 is given as the texts before and after `::`, each with its number of
    groups.
#}
{% macro expanded_address(address, version, head, tail, heads, tails) %}
    {%- set v4, v6 = [], [] -%}
    {%- for n in range(1, 5) -%}
        {%- do v4.append("lpad(split_part(" ~ address ~ ", '.', " ~ n ~ "), 3, '0')") -%}
    {%- endfor -%}
    {%- for n in range(1, 9) -%}
        {%- do v6.append("lpad(case when " ~ n ~ " <= " ~ heads ~ " then split_part(" ~ head
            ~ ", ':', " ~ n ~ ") when " ~ n ~ " > 8 - " ~ tails ~ " then split_part(" ~ tail
            ~ ", ':', cast(" ~ n ~ " - 8 + " ~ tails ~ " as int)) else '0' end, 4, '0')") -%}
    {%- endfor -%}
    {{ return("case when " ~ version ~ " = 4 then concat(" ~ v4 | join(", '.', ")
        ~ ") else lower(concat(" ~ v6 | join(", ':', ") ~ ")) end") }}
{% endmacro %}
