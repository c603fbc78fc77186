"""Declares which columns of a pipeline's scores a report shows and compares."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from spot_oa.pipelines import Pipeline

Kind = Literal["pick", "text", "number", "bytes", "place"]

_TIME = re.compile(r"(?:^|[ T])([01][0-9]|2[0-3]):([0-5][0-9])(?::|$)")
_MOST_COLUMNS = 7
_SCORES = ("score", "ml_score")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the page's table: values that can be picked, text, or numbers."""

    head: str
    names: tuple[str, ...]
    """Columns of the scores; texts are joined, numbers added."""
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Shape:
    """How a report reads a pipeline's scores."""

    columns: tuple[Column, ...]
    score: str
    time: str
    """The column of the time: seconds since 1970, or any text that contains a time."""
    hosts: Mapping[str, str]
    """Address column -> the column that is 1 if the address is inside; empty if always inside."""
    verdicts: Mapping[str, tuple[str, ...]]
    """Reputation column -> the columns of the rated values."""
    new: tuple[str, ...]
    """Columns to look up in earlier days: the first one with a value, else each outside end."""
    bytes: tuple[str, ...] = ()
    sent: str = ""
    """The column of the outgoing bytes."""
    called: tuple[str, str] = ("", "")
    """Columns of an address and its name, in whichever table has both."""
    places: Mapping[str, str] | None = None
    """Place column -> the column of its reputation."""
    edge: tuple[str, ...] = ()
    """Columns in which a raw event and its suspicious row agree."""

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that the report reads."""
        names = [self.score, self.time, *self.hosts, *self.verdicts, *self.new, *self.bytes]
        names += [name for column in self.columns for name in column.names]
        return tuple(dict.fromkeys(name for name in names if name))


SHAPES = {
    "flow": Shape(
        columns=(
            Column("from", ("srcip",), "pick"),
            Column("to", ("dstip",), "pick"),
            Column("port", ("dport",), "number"),
            Column("proto", ("proto",)),
            Column("packets", ("ipkt",), "number"),
            Column("bytes", ("ibyt",), "bytes"),
            Column("where", ("src_geoloc", "dst_geoloc"), "place"),
        ),
        score="score",
        time="tstart",
        hosts={"srcip": "srcip_internal", "dstip": "destip_internal"},
        verdicts={"src_rep": ("srcip",), "dst_rep": ("dstip",)},
        new=(),
        bytes=("ibyt",),
        sent="ibyt",
        called=("ip", "context"),
        places={"src_geoloc": "src_rep", "dst_geoloc": "dst_rep"},
        edge=("srcip", "dstip", "tstart"),
    ),
    "dns": Shape(
        columns=(
            Column("client", ("ip_dst",), "pick"),
            Column("name", ("dns_qry_name",), "pick"),
            Column("domain", ("tld",), "pick"),
            Column("type", ("dns_qry_type_name",)),
            Column("answer", ("dns_qry_rcode_name",)),
            Column("bytes", ("frame_len",), "bytes"),
            Column("called", ("network_context",)),
        ),
        score="score",
        time="unix_tstamp",
        hosts={"ip_dst": ""},
        verdicts={"query_rep": ("dns_qry_name",)},
        new=("tld", "dns_qry_name"),
        called=("ip_dst", "network_context"),
        edge=("dns_qry_name", "unix_tstamp"),
    ),
    "proxy": Shape(
        columns=(
            Column("client", ("clientip",), "pick"),
            Column("host", ("host",), "pick"),
            Column("method", ("reqmethod",)),
            Column("answer", ("respcode_name",)),
            Column("sent", ("csbytes",), "bytes"),
            Column("received", ("scbytes",), "bytes"),
            Column("URI", ("fulluri",)),
        ),
        score="ml_score",
        time="time",
        hosts={"clientip": ""},
        verdicts={"uri_rep": ("host",)},
        new=("host",),
        bytes=("csbytes", "scbytes"),
        sent="csbytes",
        called=("clientip", "network_context"),
        edge=("clientip", "fulluri", "time"),
    ),
}


def shape_of(pipeline: Pipeline, scores: pd.DataFrame) -> Shape:
    """Return the shape of a pipeline; for an added pipeline, derive it from its description."""
    known = SHAPES.get(pipeline.name)
    if known is not None:
        return known
    named = {
        landed: name for name, landed in (pipeline.triage.landed if pipeline.triage else {}).items()
    }
    kinds = {
        named.get(column, column): kind
        for looked_up in pipeline.enrich.values()
        for column, kind in looked_up.items()
    }
    own = [str(name) for name in scores.columns if name not in ("y", "m", "d", "rank")]
    score = next((name for name in (pipeline.results.score, *_SCORES) if name in own), "")
    time = next((name for name in own if _has_time(scores[name])), "")
    shown = [name for name in own if name not in (score, time)][:_MOST_COLUMNS]
    addresses = [name for name in own if kinds.get(name) == "address"]
    return Shape(
        columns=tuple(
            Column(name, (name,), "pick" if name in kinds else _kind(scores[name]))
            for name in shown
        ),
        score=score,
        time=time,
        hosts=dict.fromkeys(addresses, ""),
        verdicts={},
        new=tuple(name for name in own if name in kinds and name not in addresses)
        or tuple(addresses),
    )


def _kind(values: pd.Series[Any]) -> Kind:
    present = [value for value in values.tolist() if value is not None]
    return "number" if present and all(isinstance(value, int) for value in present) else "text"


def _has_time(values: pd.Series[Any]) -> bool:
    first = next((value for value in values.tolist() if value), None)
    return isinstance(first, str) and _TIME.search(first) is not None


def minute_of(value: object) -> int | None:
    """Return the minute of the day of seconds since 1970 or of text that contains a time."""
    if isinstance(value, int):
        return value // 60 % 1440
    found = _TIME.search(value) if isinstance(value, str) else None
    return int(found[1]) * 60 + int(found[2]) if found else None


def _minute(value: object) -> object:
    return str(value)[:16]


def _hour(value: object) -> object:
    minute = minute_of(value)
    return None if minute is None else minute // 60


EDGE: Mapping[str, Callable[[object], object]] = {
    "tstart": _minute,
    "time": _hour,
    "unix_tstamp": lambda value: value // 3600 if isinstance(value, int) else None,
    "dns_qry_name": lambda value: str(value).lower().removesuffix("."),
}
"""Column -> conversion before values of a raw event and its suspicious row are compared."""
