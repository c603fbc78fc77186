{#
    The name of a code: that of the row `listed` of a code list joined to it, `Unknown (x)` with the
    code as it stands if none is, empty if there is no code.

    One DNS type is called NULL, which dbt takes for no name when it loads seeds by INSERT.
#}
{% macro code_name(code, listed) %}
    {{ return("case when " ~ code ~ " is null then '' when " ~ listed
        ~ ".code is null then concat('Unknown (', cast(" ~ code ~ " as string), ')') else coalesce("
        ~ listed ~ ".name, 'NULL') end") }}
{% endmacro %}
