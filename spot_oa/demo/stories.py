"""The events planted in every day: the stories, and awkward rows like those of real sensors."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from spot_oa.demo.network import RESOLVERS, request
from spot_oa.demo.telemetry import DAY, Values

STORIES = {
    "exfiltration": "10.1.0.23 (finance) uploads gigabytes to drop.example.net (203.0.113.66)"
    " between 01:00 and 03:00",
    "beacon": "2001:db8:1:2::77 (build agent) calls c2.example.net (2001:db8:bad::99) every 300 s",
    "scan": "192.0.2.200 tries 100 ports on each of four servers within 200 s",
    "tunnel": "10.3.0.44 (sales) asks for TXT records of 300 long random names below"
    " t.example.net within an hour",
    "awkward": "the day's first and last second, NULLs, numbers that are none, odd characters",
}
"""Story -> its events, at the same seconds in every pipeline that has them."""
CULPRITS = {"exfiltration": "203.0.113.66", "scan": "192.0.2.200"}
"""Story -> the external address responsible for it."""

_BASE32 = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype="S1")
_AGENT6 = "2001:db8:1:2::77"
_MASTER6 = "2001:db8:bad::99"


class Event(NamedTuple):
    """A planted event: its second of the day, and its differences from an ordinary event."""

    story: str
    second: int
    values: Values
    score: float = math.inf
    """Infinite: not in the results."""


class _Plan(NamedTuple):
    """A day's random values, drawn together, so that all pipelines have the same events."""

    uploads: list[tuple[int, int]]  # second, bytes
    beats: range
    scan: int
    queries: list[tuple[int, str]]  # second, name


def _plan(date: dt.date, seed: int) -> _Plan:
    rng = np.random.default_rng(np.random.SeedSequence([seed, date.toordinal()]))
    uploads = np.sort(rng.integers(3600, 3 * 3600, 40)).tolist()
    sizes = rng.integers(50_000_000, 200_000_000, 40).tolist()
    queries = np.sort(rng.integers(15 * 3600, 16 * 3600, 300)).tolist()
    labels = _BASE32[rng.integers(0, len(_BASE32), (300, 96))].view("S48").astype(str).tolist()
    return _Plan(
        list(zip(uploads, sizes, strict=True)),
        range(int(rng.integers(300)), DAY, 300),
        int(rng.integers(10 * 3600, 18 * 3600)),
        list(zip(queries, [f"{a}.{b}.t.example.net" for a, b in labels], strict=True)),
    )


def planted(pipeline: str, date: dt.date, seed: int) -> list[Event]:
    """Return the planted events of a day, story by story, independent of other days."""
    events_of, awkward = _PLANTED[pipeline]
    edges: list[tuple[int, Values]] = [(0, {}), (DAY - 1, {})]
    odd = [*edges, *((43_210 + 60 * i, values) for i, values in enumerate(awkward))]
    return [*events_of(_plan(date, seed)), *(Event("awkward", *where) for where in odd)]


def _flow(plan: _Plan) -> Iterator[Event]:
    tcp: dict[str, Any] = {"proto": "TCP", "flag": ".AP.SF", "sport": 51_234, "dport": 443}
    for second, size in plan.uploads:
        there = {"sip": "10.1.0.23", "ipkt": size // 1400, "ibyt": size, "tdur": size / 4e6}
        back = {"dip": "203.0.113.66", "opkt": size // 28_000, "obyt": size // 540}
        yield Event("exfiltration", second, tcp | there | back)
    for second in plan.beats:
        there = {"sip": _AGENT6, "ipkt": 5, "ibyt": 512, "tdur": 0.25}
        back = {"dip": _MASTER6, "opkt": 4, "obyt": 388, "dport": 80}
        yield Event("beacon", second, tcp | there | back)
    for i in range(400):
        there = {"sip": "192.0.2.200", "ipkt": 1, "ibyt": 44, "tdur": 0.0, "flag": "....S."}
        back = {"dip": f"10.0.0.{10 + i % 4}", "opkt": 1, "obyt": 40, "dport": 1 + i // 4}
        yield Event("scan", plan.scan + i // 2, tcp | there | back)


def _proxy(plan: _Plan) -> Iterator[Event]:
    dull = dict.fromkeys(("resconttype", "uriextension", "webcat", "referer", "useragent"), "-")
    dull |= {"respcode": "200", "action": "TCP_MISS", "filterresult": "OBSERVED"}
    dull |= {"exceptionid": "-", "username": "-"}
    post = dull | request("drop.example.net", "/upload", "-") | {"reqmethod": "POST"}
    post |= {"clientip": "10.1.0.23", "serverip": "203.0.113.66", "uriport": "443"}
    for second, size in plan.uploads:
        sizes = {"csbytes": size, "scbytes": 312, "duration": size // 4000}
        yield Event("exfiltration", second, post | {"urischeme": "https"} | sizes)
    get = dull | request("c2.example.net", "/ping", "?id=77") | {"reqmethod": "GET"}
    get |= {"clientip": _AGENT6, "serverip": _MASTER6}
    for second in plan.beats:
        yield Event("beacon", second, get | {"csbytes": 180, "scbytes": 44, "duration": 31})


def _dns(plan: _Plan) -> Iterator[Event]:
    aaaa: Values = {"dns_qry_type": 28, "dns_qry_rcode": 0, "dns_a": _MASTER6, "frame_len": 106}
    for second in plan.beats:
        who = {"ip_dst": _AGENT6, "ip_src": RESOLVERS[1], "dns_qry_name": "c2.example.net"}
        yield Event("beacon", second, {**aaaa, **who})
    txt: Values = {"dns_qry_type": 16, "dns_qry_rcode": 0, "dns_a": "", "frame_len": 412}
    for second, name in plan.queries:
        who = {"ip_dst": "10.3.0.44", "ip_src": RESOLVERS[0], "dns_qry_name": name}
        yield Event("tunnel", second, {**txt, **who})


_ODD_FLOWS: list[Values] = [
    {"tdur": None},
    {"ibyt": None},
    {"ipkt": None, "opkt": None, "flag": None},
    {"sport": None, "dport": None, "proto": "ICMP6", "flag": "......"},
    {"ibyt": 6_000_000_000, "ipkt": 4_285_714},
]
_ODD_REQUESTS: list[Values] = [
    {"duration": None, "referer": None},
    {"useragent": "Agent, \"quoted\", 'single' \\ back; slash", "respcode": "299"},
    {"useragent": "Überprüfer/1.0 (日本語; Ελλάδα)", "username": "zoë"},
    {"respcode": None, "scbytes": None, "useragent": None},
    request("www.bold-mill.test", '/a;b/100%25/"x"/o\'brien', "?q=日本;y=C:\\new"),
    request("192.0.2.17", "//cgi-bin/;wget", "?cmd=$(id);`ls`--") | {"p_time": "12:5:10"},
]
_ODD_ANSWERS: list[Values] = [
    {"dns_qry_type": -1, "dns_qry_class": "unknown", "dns_a": None},
    {"frame_len": None, "dns_qry_class": "1"},
    {"dns_qry_rcode": None},
    {"dns_qry_name": "xn--bcher-kva.example", "dns_a": "192.0.2.80"},
    {"dns_qry_name": "o'brien\";bücher.example.org"},
]
_PLANTED = {
    "flow": (_flow, _ODD_FLOWS),
    "proxy": (_proxy, _ODD_REQUESTS),
    "dns": (_dns, _ODD_ANSWERS),
}
