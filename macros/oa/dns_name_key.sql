{#
    A key that equal DNS names share: names compare without case and without a final dot (RFC 4343,
    RFC 1035 2.3.3). The root `.` keeps its dot, so that it does not equal a missing name.
#}
{% macro dns_name_key(name) %}
    {{ return("case when " ~ name ~ " like '%_.' then lower(substr(" ~ name ~ ", 1, length(" ~ name
        ~ ") - 1)) else lower(" ~ name ~ ") end") }}
{% endmacro %}
