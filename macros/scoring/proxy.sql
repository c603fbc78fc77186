{# A request's host for scoring: in lower case, without port and final dot. #}
{% macro score_proxy_host(host) %}
    {%- set name = "case when " ~ host ~ " like '[%' then split_part(substr(" ~ host
        ~ ", 2), ']', 1) when " ~ host ~ " like '%:%' and " ~ host
        ~ " not like '%:%:%' then split_part(" ~ host ~ ", ':', 1) else " ~ host ~ " end" -%}
    {{ return("nullif(nullif(" ~ spot_oa.dns_name_key(name) ~ ", ''), '-')") }}
{% endmacro %}

{# The service of a request, e.g. `POST text 3xx 80`. #}
{% macro score_proxy_service(method, content_type, status, port) %}
    {{ return(
        "concat(upper(coalesce(nullif(" ~ method ~ ", ''), '-')), ' ', coalesce(nullif(split_part(lower("
        ~ content_type ~ "), '/', 1), ''), '-'), ' ', case when regexp_extract(" ~ status
        ~ ", '^([1-5][0-9][0-9])$', 1) <> '' then concat(substr(" ~ status
        ~ ", 1, 1), 'xx') else '-' end, ' ', coalesce(nullif(" ~ port ~ ", ''), '-'))"
    ) }}
{% endmacro %}
