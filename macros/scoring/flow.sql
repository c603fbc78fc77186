{#
    Flows with client and server, for a CTE. The server is known (`settled` 1) if one or both ends
    have a port up to 1024; else it depends on how common the ports are, and `client` is the source
    for now. ICMP's port is 0.
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
    CTE `flows_between`: flows between the two ends of a group of the CTE `groups` (e, p), whichever
    of them began. All others are excluded before their service is determined.
#}
{% macro score_flow_between(groups) %}
    either as (
        select e as from_end, p as to_end from {{ groups }}
        union all
        select p as from_end, e as to_end from {{ groups }}
    ),

    flows_between as (
        select flow.*
        from flow
        where
            exists (
                select 1
                from either
                where
                    either.from_end = {{ spot_oa.key64('flow.srcip') }}
                    and either.to_end = {{ spot_oa.key64('flow.dstip') }}
            )
    )
{%- endmacro %}

{#
    The flows of score_flow_ends(), with the remaining servers determined by the number of address
    pairs that share each port, and with the keys (e, p, k), for a CTE.
#}
{% macro score_flow_keyed(ends, ports) %}
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
{% endmacro %}

{#
    The way of a flow: `in` from outside to own addresses, `lat` between own ones, else `out`. From
    the joins of int_score_flow__own on the client and on the server.
#}
{% macro score_flow_way(client, server) %}
    {{ return("case when " ~ server ~ ".address is null then 'out' when " ~ client
        ~ ".address is null then 'in' else 'lat' end") }}
{% endmacro %}
