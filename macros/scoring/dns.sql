{# The service of a DNS answer: the number of its type. #}
{% macro score_dns_service(query_type) %}
    {{ return("coalesce(cast(" ~ query_type ~ " as string), '-')") }}
{% endmacro %}

{# The share of some letters in a text, in steps of 1/`parts`. #}
{% macro score_share_of(text, letters, parts) %}
    {{ return("case when char_length(" ~ text ~ ") > 0 then cast(floor(" ~ parts
        ~ " * cast(char_length(" ~ text ~ ") - char_length(translate(" ~ text ~ ", '" ~ letters
        ~ "', '')) as double) / char_length(" ~ text ~ ")) as int) else 0 end") }}
{% endmacro %}
