{#
    The digits matched by a group of the pattern, as a number; NULL where the pattern does not
    match. The group must match digits only, at most nine.
#}
{% macro extract_int(text, pattern, group=1) %}
    {{ return("cast(nullif(regexp_extract(" ~ text ~ ", '" ~ pattern ~ "', " ~ group
        ~ "), '') as int)") }}
{% endmacro %}
