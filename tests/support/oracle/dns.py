"""The marts of dns."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from typing import Any

from tests.support.oracle import codes
from tests.support.oracle.context import Context, registered_domain
from tests.support.oracle.order import AT_MOST, as_text
from tests.support.oracle.results import Landed

Row = dict[str, Any]

COLUMNS = [
    "frame_time",
    "unix_tstamp",
    "frame_len",
    "ip_dst",
    "ip_src",
    "dns_qry_name",
    "dns_qry_class",
    "dns_qry_type",
    "dns_qry_rcode",
    "dns_a",
]
HOUR = 3600


def marts(landed: Landed, raw: list[Row], context: Context, date: dt.date) -> dict[str, list[Row]]:
    return {
        "dns_scores": [_score(row, context) for row in landed.rows],
        "dns_edge": _edge(landed.rows, raw, context),
        "dns_dendro": _dendro(landed.rows, raw),
        "dns_ingest_summary": _summary(raw),
    }


def _names(row: Row) -> Row:
    return {
        "dns_qry_class_name": codes.name(codes.CLASSES, row["dns_qry_class"]),
        "dns_qry_type_name": codes.name(codes.TYPES, row["dns_qry_type"]),
        "dns_qry_rcode_name": codes.name(codes.RCODES, row["dns_qry_rcode"]),
    }


def _score(row: Row, context: Context) -> Row:
    first = [
        "frame_time",
        "unix_tstamp",
        "frame_len",
        "ip_dst",
        "dns_qry_name",
        "dns_qry_class",
        "dns_qry_type",
        "dns_qry_rcode",
        "score",
    ]
    return {
        **{name: row[name] for name in first},
        "tld": registered_domain(row["dns_qry_name"]),
        "query_rep": context.reputation("name", row["dns_qry_name"]),
        "hh": row["unix_tstamp"] // HOUR % 24,
        **_names(row),
        "network_context": context.label(row["ip_dst"]),
    }


def _edge(suspicious: list[Row], raw: list[Row], context: Context) -> list[Row]:
    """Return answers for a suspicious name in its hour, counted from 1970."""
    wanted = {(_same(row["dns_qry_name"]), row["unix_tstamp"] // HOUR) for row in suspicious}
    groups = defaultdict(list)
    for answer in raw:
        if answer["unix_tstamp"] is not None:
            key = (_same(answer["dns_qry_name"]), answer["unix_tstamp"] // HOUR)
            if key in wanted:
                groups[key].append(answer)
    return [
        _event(answer, context)
        for group in groups.values()
        for answer in sorted(group, key=_earliest_first)[:AT_MOST]
    ]


def _same(name: str | None) -> str | None:
    """Normalise a name: no case, no final dot; the root remains a dot."""
    if name is None or name == ".":
        return name
    return name.lower().removesuffix(".")


def _earliest_first(answer: Row) -> tuple[Any, ...]:
    time = answer["unix_tstamp"]
    return (time is None, time or 0, as_text(answer, COLUMNS))


def _event(answer: Row, context: Context) -> Row:
    first = [
        "unix_tstamp",
        "frame_len",
        "ip_dst",
        "ip_src",
        "dns_qry_name",
        "dns_qry_class",
        "dns_qry_type",
        "dns_qry_rcode",
        "dns_a",
    ]
    return {
        **{name: answer[name] for name in first},
        "hh": answer["unix_tstamp"] // HOUR % 24,
        **_names(answer),
        "network_context": "" if answer["ip_dst"] is None else context.label(answer["ip_dst"]),
    }


def _dendro(suspicious: list[Row], raw: list[Row]) -> list[Row]:
    """Return the distinct rows among the first answers of each suspicious client."""
    found = set()
    for client in {row["ip_dst"] for row in suspicious}:
        answers = [answer for answer in raw if answer["ip_dst"] == client]
        for answer in sorted(answers, key=_earliest_first)[:AT_MOST]:
            found.add((answer["unix_tstamp"], answer["dns_a"], answer["dns_qry_name"], client))
    names = ("unix_tstamp", "dns_a", "dns_qry_name", "ip_dst")
    return [dict(zip(names, values, strict=True)) for values in found]


def _summary(raw: list[Row]) -> list[Row]:
    needed = [
        "unix_tstamp",
        "frame_time",
        "frame_len",
        "dns_qry_name",
        "ip_src",
        "dns_qry_class",
        "dns_qry_type",
        "dns_qry_rcode",
    ]
    minutes = Counter(
        f"{dt.datetime.fromtimestamp(answer['unix_tstamp'], dt.UTC):%Y-%m-%d %H:%M}"
        for answer in raw
        if all(answer[name] is not None for name in needed)
    )
    return [{"tdate": minute, "total": total} for minute, total in minutes.items()]
