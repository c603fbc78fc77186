{# What of a DNS answer is the service: the number of its type. #}
{% macro score_dns_service(query_type) %}
    {{ return("coalesce(cast(" ~ query_type ~ " as string), '-')") }}
{% endmacro %}

{# Which part of a text such letters make up, in so many parts. #}
{% macro score_share_of(text, letters, parts) %}
    {{ return("case when char_length(" ~ text ~ ") > 0 then cast(floor(" ~ parts
        ~ " * cast(char_length(" ~ text ~ ") - char_length(translate(" ~ text ~ ", '" ~ letters
        ~ "', '')) as double) / char_length(" ~ text ~ ")) as int) else 0 end") }}
{% endmacro %}
