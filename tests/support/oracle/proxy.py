"""The marts of proxy."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter, defaultdict
from typing import Any

from tests.support.oracle import codes
from tests.support.oracle.context import Context
from tests.support.oracle.order import AT_MOST, as_text
from tests.support.oracle.results import Landed

Row = dict[str, Any]

COLUMNS = [
    "p_date",
    "p_time",
    "clientip",
    "host",
    "reqmethod",
    "useragent",
    "resconttype",
    "duration",
    "username",
    "authgroup",
    "exceptionid",
    "filterresult",
    "webcat",
    "referer",
    "respcode",
    "action",
    "urischeme",
    "uriport",
    "uripath",
    "uriquery",
    "uriextension",
    "serverip",
    "scbytes",
    "csbytes",
    "virusid",
    "bcappname",
    "bcappoper",
    "fulluri",
]


def marts(landed: Landed, raw: list[Row], context: Context, date: dt.date) -> dict[str, list[Row]]:
    return {
        "proxy_scores": [_score(row, context) for row in landed.rows],
        "proxy_edge": _edge(landed.rows, raw, date),
        "proxy_ingest_summary": _summary(raw),
    }


def time_of_day(text: str | None) -> tuple[int, int, float] | None:
    """Parse `H:M`, `H:M:S` or `H:M:S.f`, padded or not."""
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{1,2})(:[0-9]{1,2}(\.[0-9]+)?)?", text or "")
    if not found:
        return None
    hour, minute, second = int(found[1]), int(found[2]), float((found[3] or ":0")[1:])
    return (hour, minute, second) if hour < 24 and minute < 60 and second < 60 else None


def _score(row: Row, context: Context) -> Row:
    middle = [
        "clientip",
        "host",
        "reqmethod",
        "useragent",
        "resconttype",
        "duration",
        "username",
        "webcat",
        "referer",
        "respcode",
        "uriport",
        "uripath",
        "uriquery",
        "serverip",
        "scbytes",
        "csbytes",
        "fulluri",
        "word",
    ]
    return {
        "tdate": row["p_date"],
        "time": row["p_time"],
        **{name: row[name] for name in middle},
        "ml_score": row["score"],
        "uri_rep": context.reputation("uri", row["fulluri"]),
        "respcode_name": codes.name(codes.HTTP, row["respcode"]),
        "network_context": context.label(row["clientip"]),
    }


def _edge(suspicious: list[Row], raw: list[Row], date: dt.date) -> list[Row]:
    """Return requests for a suspicious request's URI of that date, by its client, in its hour."""
    wanted = {
        (row["fulluri"], row["clientip"], time[0])
        for row in suspicious
        if (time := time_of_day(row["p_time"])) and row["p_date"] == date.isoformat()
    }
    groups = defaultdict(list)
    for request in raw:
        # The partition determines the date of a raw request, not its p_date.
        key = (request["fulluri"], request["clientip"], request["h"])
        if key in wanted:
            groups[key].append(request)
    return [
        _event(request)
        for group in groups.values()
        for request in sorted(group, key=_earliest_first)[:AT_MOST]
    ]


def _earliest_first(request: Row) -> tuple[Any, ...]:
    time = time_of_day(request["p_time"])
    return (time is None, time or (), as_text(request, COLUMNS))


def _event(request: Row) -> Row:
    middle = [
        "clientip",
        "host",
        "webcat",
        "respcode",
        "reqmethod",
        "useragent",
        "resconttype",
        "referer",
        "uriport",
        "serverip",
        "scbytes",
        "csbytes",
        "fulluri",
    ]
    return {
        "tdate": request["p_date"],
        "time": request["p_time"],
        **{name: request[name] for name in middle},
        "hh": request["h"],
        "respcode_name": codes.name(codes.HTTP, request["respcode"]),
    }


def _summary(raw: list[Row]) -> list[Row]:
    needed = ["p_date", "clientip", "host", "fulluri"]
    minutes = Counter(
        f"{request['p_date']} {time[0]:02}:{time[1]:02}"
        for request in raw
        if all(request[name] is not None for name in needed)
        and (time := time_of_day(request["p_time"]))
    )
    return [{"tdate": minute, "total": total} for minute, total in minutes.items()]
