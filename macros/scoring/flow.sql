{#
    Flows as scoring sees them, for a CTE: which end is the server is known (`settled` 1) if only
    one has a port up to 1024, or both have; else it hangs on how common the ports are, and the
    ends stand as they were (`client` is the source). ICMP's port is 0.
#}
{% macro score_flow_ends(flow) %}
    select
        *,
        case when settled = 1 and is_turned = 1 then dstip else srcip end as client,
        case when settled = 1 and is_turned = 1 then srcip else dstip end as server,
        case when is_icmp = 1 then 0 when is_turned = 1 then from_port else to_port end as port,
        case when settled = 1 then 0 else from_port end as other_port,
        case when is_turned = 1 then back_bytes else sent_bytes end as up,
        case when is_turned = 1 then sent_bytes else back_bytes end as down
    from (
        select
            *,
            case when is_icmp = 0 and from_port <= 1024 and to_port > 1024 then 1 else 0 end
                as is_turned,
            case when is_icmp = 1 or from_port <= 1024 or to_port <= 1024 then 1 else 0 end
                as settled
        from (
            select
                *,
                upper(coalesce(proto, '-')) as protocol,
                case when upper(coalesce(proto, '-')) in ('ICMP', 'ICMP6', 'IPV6-ICMP', '1', '58')
                    then 1 else 0 end as is_icmp,
                coalesce(sport, 0) as from_port,
                coalesce(dport, 0) as to_port,
                coalesce(ibyt, 0) as sent_bytes,
                coalesce(obyt, 0) as back_bytes
            from {{ flow }}
        ) as numbered
    ) as placed
{% endmacro %}

{#
    The same with the open ones settled by the number of pairs of addresses that share each port,
    and with the keys of (e, p, k), for a CTE.

    Only of pairs that are in the CTE `pairs`, if one is given: the text of a service is not made for
    all others.
#}
{% macro score_flow_keyed(ends, ports, pairs=none) %}
    select
        turned.*,
        {{ spot_oa.key64('turned.e_text') }} as e,
        {{ spot_oa.key64('turned.p_text') }} as p,
        {{ spot_oa.key64("concat(turned.protocol, '/', cast(turned.k_port as string))") }} as k
    from (
        select
            {{ ends }}.*,
            case when from_side.pairs > 4 * to_side.pairs then {{ ends }}.server
                else {{ ends }}.client end as e_text,
            case when from_side.pairs > 4 * to_side.pairs then {{ ends }}.client
                else {{ ends }}.server end as p_text,
            case when from_side.pairs > 4 * to_side.pairs then {{ ends }}.other_port
                else {{ ends }}.port end as k_port,
            case when from_side.pairs > 4 * to_side.pairs then {{ ends }}.down
                else {{ ends }}.up end as bytes_up,
            case when from_side.pairs > 4 * to_side.pairs then {{ ends }}.up
                else {{ ends }}.down end as bytes_down
        from {{ ends }}
        left join {{ ports }} as from_side
            on {{ ends }}.settled = 0 and {{ ends }}.other_port = from_side.port
        left join {{ ports }} as to_side
            on {{ ends }}.settled = 0 and {{ ends }}.port = to_side.port
    ) as turned
    {%- if pairs %}
    where
        exists (
            select 1
            from {{ pairs }}
            where
                {{ pairs }}.e = {{ spot_oa.key64('turned.e_text') }}
                and {{ pairs }}.p = {{ spot_oa.key64('turned.p_text') }}
        )
    {%- endif %}
{% endmacro %}
