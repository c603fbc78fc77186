{#
    The name of a code: that of the row `listed` of the code list joined to it, `Unknown (x)` with
    the code as stored if no row matches, empty if there is no code.

    One DNS type is named NULL, which dbt loads as a NULL value when it loads seeds by INSERT.
#}
{% macro code_name(code, listed) %}
    {{ return("case when " ~ code ~ " is null then '' when " ~ listed
        ~ ".code is null then concat('Unknown (', cast(" ~ code ~ " as string), ')') else coalesce("
        ~ listed ~ ".name, 'NULL') end") }}
{% endmacro %}
