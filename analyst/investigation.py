"""Searches a day's traffic for one address, name or URI that an analyst scored High.

Telemetry is read in place; locations and names of peers come from local files only: no lookup
sends a peer to another host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analyst import pictures
from analyst.actions import TOP_RESULTS
from analyst.listing import Listing
from analyst.pictures.notebook import Picture
from analyst.pictures.svg import records
from analyst.pictures.text import many, number
from analyst.report import facts
from analyst.selectors import fold
from analyst.workbench import Workbench
from python_enrichers import load_enricher
from python_enrichers.domain import split_name
from spot_oa.errors import UsageError, printable
from spot_oa.warehouse.duckdb.asking import ask

DETAILS_LIMIT = 1000
DIRECTIONS: Mapping[str, str] = {
    "inbound": "Inbound only",
    "outbound": "Outbound only",
    "two_way": "Two way",
}
"""As seen from the anchor, whichever end is inside."""
GROUPS = ("VPN", "DMZ", "Proxy", "FW")
NO_CONTEXT = "No context"

CONNECTIONS = """
select
    sip as srcip, dip as dstip, sport, dport, min(treceived) as firstseen,
    max(treceived) as lastseen, count(*) as conns, max(ipkt) as maxpkts, avg(ipkt) as avgpkts,
    max(ibyt) as maxbyts, avg(ibyt) as avgbyts, sum(ibyt) as sumbyts, sum(ipkt) as sumpkts
from telemetry
where (sip = $anchor or dip = $anchor) and sip <> dip
group by sip, dip, sport, dport
order by conns desc, sumbyts desc nulls last, srcip, dstip, sport, dport
"""
MINUTES = """
select left(treceived, 16) as tdate, count(*) as total
from telemetry
where (sip = $anchor or dip = $anchor) and sip <> dip
group by 1
order by 1
"""
NAMES_OF_CLIENT = """
select
    ip_dst, dns_qry_name, count(*) as total,
    count(*) over () as all_rows, cast(sum(count(*)) over () as bigint) as all_meant
from telemetry
where ip_dst = $anchor and dns_qry_name is not null
group by ip_dst, dns_qry_name
order by total desc, dns_qry_name
limit $limit
"""
CLIENTS_OF_NAME = r"""
select
    ip_dst, min(dns_qry_name) as dns_qry_name, count(*) as total,
    count(*) over () as all_rows, cast(sum(count(*)) over () as bigint) as all_meant
from telemetry
where regexp_replace(lower(dns_qry_name), '(.)\.$', '\1') = $anchor and ip_dst is not null
group by ip_dst
order by total desc, ip_dst
limit $limit
"""
REQUESTS = """
select
    p_date, p_time, clientip, username, duration, fulluri, webcat, respcode, reqmethod, useragent,
    resconttype, referer, uriport, serverip, scbytes, csbytes,
    count(*) over () as all_rows, count(*) filter (fulluri = $anchor) over () as all_meant
from telemetry
where fulluri = $anchor or referer = $anchor
order by p_date, lpad(split_part(p_time, ':', 1), 2, '0'), p_time, clientip, fulluri
limit $limit
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of an address's flows, summed over both directions."""

    ip: str
    direction: str
    conns: int
    sumbyts: int
    place: str
    context: str


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a search."""

    kind: str
    anchor: str
    rows: pd.DataFrame
    """All rows found, up to the limit; tables show the first of them."""
    tables: Sequence[Listing]
    headline: str
    peers: Sequence[Peer] = ()
    minutes: pd.DataFrame | None = None


def search(
    day: Workbench,
    kind: str,
    anchor: str,
    *,
    top_results: int = TOP_RESULTS,
    details_limit: int = DETAILS_LIMIT,
) -> Found:
    """Search the day's telemetry for an anchor.

    Args:
        day: The day.
        kind: `ip`, `client`, `query` or `uri`.
        anchor: The address, name or URI.
        top_results: Number of rows shown per table.
        details_limit: Maximum number of rows of names, clients or requests.

    Raises:
        UsageError: The kind is unknown, or the telemetry is on a cluster.
        SpotOaError: Telemetry cannot be read.
    """
    if top_results < 1 or details_limit < 1:
        raise UsageError("TOP_RESULTS and DETAILS_LIMIT: use 1 or more")
    if kind == "ip":
        return _flows(day, anchor, top_results)
    if kind in ("client", "query"):
        sql = NAMES_OF_CLIENT if kind == "client" else CLIENTS_OF_NAME
        asked = anchor if kind == "client" else fold(anchor)
        rows, count, total = _first(day, sql, asked, details_limit)
        what = "name" if kind == "client" else "client"
        headline = f"{many(count, what)}, {many(total, 'answer')}{_cut(rows, count)}"
        title = "Names that it asked for" if kind == "client" else "Clients that asked for it"
        return Found(kind, anchor, rows, [_listing(rows, title, top_results)], headline)
    if kind == "uri":
        rows, count, total = _first(day, REQUESTS, anchor, details_limit)
        headline = (
            f"{many(total, 'request')} for it, {count - total:,} that it referred to"
            f"{_cut(rows, count)}"
        )
        title = "Requests for it, and those that it referred to"
        return Found(kind, anchor, rows, [_listing(rows, title, top_results)], headline)
    raise UsageError(f"there is no search for {printable(kind)!r}")


def preview(day: Workbench, found: Found) -> Picture:
    """Draw the result of a search."""
    if found.kind == "ip":
        return _of_flows(day, found)
    if found.kind == "client":
        return Picture(
            pictures.tree(
                found.rows,
                found.anchor,
                {str(row["dns_qry_name"]) for row in day.published.rows},
                lambda name: split_name(name)[0],
                day.facts.known_bad,
            )
        )
    if found.kind == "query":
        rows = records(found.rows, {"ip_dst": "", "total": 0})
        leaves = [("Asked by", str(ip), int(total)) for ip, total in rows]
        return Picture(drawn_branches(leaves, found.anchor, "answer"))
    requests = records(found.rows, {"fulluri": "", "clientip": ""})
    counted = Counter(
        ("Requested by", client) if uri == found.anchor else ("Referred to", uri)
        for uri, client in requests
    )
    leaves = [(branch, str(leaf), total) for (branch, leaf), total in sorted(counted.items())]
    return Picture(drawn_branches(leaves, found.anchor, "request"))


def drawn_branches(leaves: Sequence[tuple[str, str | None, int]], anchor: str, noun: str) -> str:
    """Draw leaves (branch, leaf or none, total) as `pictures.branches`."""
    return pictures.branches(_branches(leaves), anchor, noun)


def _branches(leaves: Sequence[tuple[str, str | None, int]]) -> pd.DataFrame:
    return pd.DataFrame(leaves, columns=["branch", "leaf", "total"], dtype=object)


def _asked(day: Workbench, sql: str, **values: object) -> pd.DataFrame:
    telemetry = day.telemetry()
    if telemetry is None:
        raise UsageError(
            f"telemetry of the target {day.settings.target} can be searched on its cluster only"
        )
    return ask(sql, {}, telemetry, values)


def _first(day: Workbench, sql: str, anchor: str, limit: int) -> tuple[pd.DataFrame, int, int]:
    """Return the first rows of a search, and its two counts over all rows."""
    rows = _asked(day, sql, anchor=anchor, limit=limit)
    count, meant = (int(next(iter(rows.pop(name)), 0)) for name in ("all_rows", "all_meant"))
    return rows, count, meant


def _cut(rows: pd.DataFrame, count: int) -> str:
    return f"; the first {len(rows):,} of {count:,} shown" if len(rows) < count else ""


def _flows(day: Workbench, anchor: str, top: int) -> Found:
    rows = _asked(day, CONNECTIONS, anchor=anchor)
    minutes = _asked(day, MINUTES, anchor=anchor)
    others = list(
        dict.fromkeys(
            ip
            for pair in records(rows, {"srcip": "", "dstip": ""})
            for ip in map(str, pair)
            if ip != anchor
        )
    )
    places, context = _places(day, others), day.context_of(others)
    known = _reputation(day)
    peers = _peers(rows, anchor, places, {ip: label for ip, (_, label) in context.items()})
    counts = ", ".join(
        f"{number(sum(each.direction == name for each in peers))} {title.lower()}"
        for name, title in DIRECTIONS.items()
    )
    total = sum(rows["conns"].tolist())
    headline = f"{many(len(peers), 'peer')}: {counts}; {many(total, 'flow')}"
    tables = []
    for end, other, title in (("srcip", "dstip", "source"), ("dstip", "srcip", "destination")):
        ends = _ends(rows, end, other, anchor)
        for column, name in (("conns", "connections"), ("sumbyts", "bytes")):
            order = sorted(ends, key=lambda each: (-(each[column] or 0), str(each["ip"])))
            rows_of = [
                {
                    "ip": each["ip"],
                    "connections": each["conns"],
                    "bytes": each["sumbyts"],
                    "called": context.get(str(each["ip"]), (False, ""))[1],
                    "place": places.get(str(each["ip"]), ""),
                    "reputation": known.get(str(each["ip"]), ""),
                    "packets": each["sumpkts"],
                    "largest": each["maxbyts"],
                    "first": each["firstseen"],
                    "last": each["lastseen"],
                }
                for each in order
            ]
            frame = pd.DataFrame(rows_of, dtype=object)
            tables.append(_listing(frame, f"Top {top} {title} IP per {name}", top))
    return Found("ip", anchor, rows, tables, headline, peers, minutes)


def _ends(rows: pd.DataFrame, end: str, other: str, anchor: str) -> list[dict[str, Any]]:
    """Return the addresses at one end of the anchor's flows, with their sums over all ports."""
    columns = dict.fromkeys(
        (end, other, "conns", "maxbyts", "sumbyts", "sumpkts", "firstseen", "lastseen")
    )
    sums: dict[str, dict[str, Any]] = {}
    for ip, peer, conns, largest, sent, packets, first, last in records(rows, columns):
        if peer != anchor:
            continue
        each = sums.setdefault(
            str(ip),
            {"ip": str(ip), "conns": 0, "maxbyts": 0, "sumbyts": 0, "sumpkts": 0}
            | {"firstseen": first, "lastseen": last},
        )
        each["conns"] += int(conns)
        each["maxbyts"] = max(each["maxbyts"], int(largest or 0))
        each["sumbyts"] += int(sent or 0)
        each["sumpkts"] += int(packets or 0)
        each["firstseen"] = min(each["firstseen"], first)
        each["lastseen"] = max(each["lastseen"], last)
    return list(sums.values())


def _peers(
    rows: pd.DataFrame, anchor: str, places: Mapping[str, str], called: Mapping[str, str]
) -> list[Peer]:
    columns = {"srcip": "", "dstip": "", "conns": 0, "sumbyts": 0}
    ways: dict[str, set[str]] = {}
    sums: dict[str, list[int]] = {}
    for source, target, conns, sent in records(rows, columns):
        peer, way = (target, "outbound") if source == anchor else (source, "inbound")
        ways.setdefault(str(peer), set()).add(way)
        counted = sums.setdefault(str(peer), [0, 0])
        counted[0] += int(conns)
        counted[1] += int(sent)
    return [
        Peer(
            ip,
            "two_way" if len(way) > 1 else next(iter(way)),
            sums[ip][0],
            sums[ip][1],
            places.get(ip, ""),
            called.get(ip, "") or NO_CONTEXT,
        )
        for ip, way in sorted(ways.items(), key=lambda item: (-sums[item[0]][1], item[0]))
    ]


def group_of(context: str) -> str:
    """Return the group under which a context is counted."""
    found = next((each for each in GROUPS if each.lower() in context.lower()), None)
    return found or context.partition(".")[0] or NO_CONTEXT


def _places(day: Workbench, addresses: Sequence[str]) -> dict[str, str]:
    enriched = load_enricher("geo", day.settings).enrich({"address": addresses})
    frame = next(iter(enriched.tables.values()))
    found = zip(frame["ip"].tolist(), frame["geoloc"].tolist(), strict=True)
    return {str(ip): facts.place_of(place) for ip, place in found}


def _reputation(day: Workbench) -> dict[str, str]:
    """Return the addresses' reputation as stored in the day's rows; no service is queried."""
    found: dict[str, str] = {}
    for row in day.published.rows:
        for name, columns in day.source.shape.verdicts.items():
            verdicts = facts.verdicts(row.get(name))
            for column in columns:
                if verdicts and row.get(column):
                    found[str(row[column])] = ", ".join(map(str, verdicts))
    return found


def _of_flows(day: Workbench, found: Found) -> Picture:
    flows = found.rows.assign(ip_threat=found.anchor, ibyt=found.rows["sumbyts"])
    received = found.minutes if found.minutes is not None else pd.DataFrame()
    events = [each for each in day.facts.events[day.pipeline.name] if found.anchor in each.ends]
    band = pictures.Band(found.anchor, received, facts.marks(events), steady=False)
    contexts = Counter((DIRECTIONS[peer.direction], group_of(peer.context)) for peer in found.peers)
    # All three directions are shown, even without peers.
    leaves = [
        *((way, None, 0) for way in DIRECTIONS.values()),
        *((way, group, total) for (way, group), total in sorted(contexts.items())),
    ]
    return Picture(
        pictures.chord(flows, found.anchor, day.facts.known_bad)
        + drawn_branches(leaves, found.anchor, "peer")
        + pictures.timeline([band])
    )


def _listing(rows: pd.DataFrame, title: str, top: int) -> Listing:
    return Listing(rows, title, "" if len(rows) else "nothing", size=top)
