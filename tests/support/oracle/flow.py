"""The marts of flow."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections import Counter, defaultdict
from typing import Any

from tests.support.oracle.context import Context
from tests.support.oracle.results import Landed

Row = dict[str, Any]


def marts(landed: Landed, raw: list[Row], context: Context, date: dt.date) -> dict[str, list[Row]]:
    return {
        "flow_scores": [_score(row, context) for row in landed.rows],
        "flow_edge": _edge(landed.rows, raw, date),
        "flow_chords": _chords(landed.rows, raw),
        "flow_addresses": _addresses(landed.rows, context),
        "flow_ingest_summary": _summary(raw, date),
    }


def _score(row: Row, context: Context) -> Row:
    sip, dip = row["sip"], row["dip"]
    return {
        "tstart": row["treceived"],
        "srcip": sip,
        "dstip": dip,
        **{name: row[name] for name in ("sport", "dport", "proto")},
        **{name: row[name] for name in ("ipkt", "ibyt", "opkt", "obyt", "score", "rank")},
        "srcip_internal": context.is_internal(sip),
        "destip_internal": context.is_internal(dip),
        "src_geoloc": context.geoloc(sip),
        "dst_geoloc": context.geoloc(dip),
        "src_domain": context.ip_domain(sip),
        "dst_domain": context.ip_domain(dip),
        "src_rep": context.reputation("address", sip),
        "dst_rep": context.reputation("address", dip),
    }


def _edge(suspicious: list[Row], raw: list[Row], date: dt.date) -> list[Row]:
    """Return raw flows of the two addresses of a connection, in its date, hour and minute."""
    wanted = {
        (frozenset((one["sip"], one["dip"])), one["trhour"], one["trminute"])
        for one in suspicious
        if (one["tryear"], one["trmonth"], one["trday"]) == (date.year, date.month, date.day)
    }
    return [
        _event(flow)
        for flow in raw
        if flow["trminute"] is not None
        and (frozenset((flow["sip"], flow["dip"])), flow["h"], flow["trminute"]) in wanted
    ]


def _event(flow: Row) -> Row:
    counts = [flow[name] for name in ("ipkt", "opkt") if flow[name] is not None]
    return {
        "tstart": flow["treceived"],
        "srcip": flow["sip"],
        "dstip": flow["dip"],
        **{name: flow[name] for name in ("sport", "dport", "proto")},
        "flags": flow["flag"],
        "tos": flow["stos"],
        "ibyt": flow["ibyt"],
        "ipkt": flow["ipkt"],
        "pkts": sum(counts) if counts else None,
        **{name: flow[name] for name in ("input", "output", "rip", "obyt", "opkt")},
        "hh": flow["h"],
        "md": flow["trminute"],
    }


def _chords(suspicious: list[Row], raw: list[Row]) -> list[Row]:
    """Return the traffic of addresses with two or more suspicious peers with each peer that day."""
    flows_of = defaultdict(list)
    for flow in raw:
        flows_of[flow["sip"], flow["dip"]].append(flow)
    addresses = {row[side] for row in suspicious for side in ("sip", "dip")}
    found = []
    for threat in sorted(addresses):
        peers = {
            row[other]
            for row in suspicious
            for side, other in (("sip", "dip"), ("dip", "sip"))
            if row[side] == threat and row[other] != threat
        }
        if len(peers) < 2:
            continue
        for peer, way in itertools.product(sorted(peers), (1, -1)):
            sip, dip = (threat, peer)[::way]
            flows = flows_of.get((sip, dip))
            if flows:
                sums = {name: _sum(flow[name] for flow in flows) for name in ("ibyt", "ipkt")}
                found.append({"ip_threat": threat, "srcip": sip, "dstip": dip, **sums})
    return found


def _addresses(suspicious: list[Row], context: Context) -> list[Row]:
    """Return the known data of every address, once."""
    found = []
    for ip in {row[side] for row in suspicious for side in ("sip", "dip")}:
        said = context.reputation("address", ip)
        found.append(
            {
                "ip": ip,
                "is_internal": context.is_internal(ip),
                "place": context.geoloc(ip),
                "domain": context.ip_domain(ip),
                **context.position(ip),
                "context": context.label(ip),
                "reputation": said,
                "severity": max(
                    (int(each.rpartition(":")[2]) for each in said.split("::") if each),
                    default=None,
                ),
            }
        )
    return found


def _sum(values: Any) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _summary(raw: list[Row], date: dt.date) -> list[Row]:
    needed = ["unix_tstamp", "sip", "sport", "dip", "dport", "ibyt", "ipkt", "treceived"]
    needed += ["trmonth", "trday", "trhour", "trminute", "trsec"]
    minutes = Counter(
        f"{date.year:04}-{flow['trmonth']:02}-{flow['trday']:02} "
        f"{flow['trhour']:02}:{flow['trminute']:02}"
        for flow in raw
        if all(flow[name] is not None for name in needed)
        and flow["tryear"] == date.year
        and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", flow["treceived"])
    )
    return [{"tdate": minute, "total": total} for minute, total in minutes.items()]
