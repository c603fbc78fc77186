{# The name of a severity. #}
{% macro severity_name(severity) %}
    {{ return(
        'case ' ~ severity ~ " when 1 then 'High' when 2 then 'Medium' when 3 then 'Low' "
        ~ "else 'not scored' end"
    ) }}
{% endmacro %}


{# `YYYY-MM-DD HH:MM:SS` of a timestamp, without fractions; empty if there is none. #}
{% macro second_text(moment) %}
    {{ return('coalesce(substr(cast(' ~ moment ~ " as string), 1, 19), '')") }}
{% endmacro %}
