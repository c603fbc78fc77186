"""Draw ordinary traffic of the three pipelines, column by column."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spot_oa.demo import network
from spot_oa.demo.network import ADDRESSES, NAMES, PAGES, SLOTS, Codes, Floats, slots, weighted
from spot_oa.pipelines import Pipeline
from spot_oa.warehouse.tables import ARROW_TYPES

DAY = 86_400  # s
Values = Mapping[str, Any]
"""Column -> value of a planted event; None is NULL."""


class Text(NamedTuple):
    """A string column: row i has the value `words[codes[i]]`."""

    words: pa.Array | Sequence[str]
    codes: Codes


Column = Text | Codes | Floats | int | str
"""Values by row, or one value for all rows."""
Drawn = tuple[dict[str, Column], Floats]
"""The columns, and a substitute score of each row in (0, 1); rarer events have smaller scores."""
Draw = Callable[[np.random.Generator, dt.date, Codes], Drawn]


def batch(
    pipeline: Pipeline,
    rng: np.random.Generator,
    date: dt.date,
    seconds: Codes,
    planted: Mapping[int, Values],
) -> tuple[pa.RecordBatch, Floats]:
    """Draw events and write the planted ones over them.

    Args:
        pipeline: The kind of events.
        rng: Source of random numbers.
        date: The day.
        seconds: Time of each event, in seconds of the day, ascending; int32, shape (n,).
        planted: Row -> values that replace the drawn ones.

    Returns:
        n events, and the scores of the drawn events, shape (n,).
    """
    drawn, score = DRAWS[pipeline.name](rng, date, seconds)
    columns = {}
    for name, kind in pipeline.telemetry.columns.items():
        over = {row: values[name] for row, values in planted.items() if name in values}
        there, instead = list(over), pa.array(over.values(), ARROW_TYPES[kind])
        column = drawn[name]
        if isinstance(column, str):
            column = Text([column], np.zeros_like(seconds))
        if isinstance(column, Text):
            words = pa.concat_arrays([pa.array(column.words), instead])
            codes = column.codes.astype(np.int32)
            codes[there] = len(column.words) + np.arange(len(there))
            columns[name] = words.take(pa.array(codes))
        else:
            mask = np.zeros(len(seconds), bool)
            mask[there] = True
            numbers = pa.array(column + np.zeros_like(seconds)).cast(ARROW_TYPES[kind])
            columns[name] = pc.replace_with_mask(numbers, mask, instead)
    return pa.RecordBatch.from_pydict(columns), score


_NORMAL = np.array([NormalDist().inv_cdf((i + 0.5) / SLOTS) for i in range(SLOTS)])
# Log-normal factors with median 1; rounded, because machines differ in the last bit of a power.
HEAVY, MILD = (np.round(2.0 ** (sigma * _NORMAL), 6) for sigma in (2.4, 0.5))
_FAMILY = weighted([85, 15])  # IPv4, IPv6


def _rarity(place: Codes) -> Floats:
    """Return how usual a position in a tail is: 1 in the bulk, 0.05 at the far end."""
    return 1.0 - 0.95 / SLOTS * place


@cache
def _clock() -> pa.Array:
    """Return `HH:MM:SS` for every second of a day."""
    return pa.array([f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(DAY)])


@cache
def _fractions() -> pa.Array:
    """Return the text of a capture after the seconds: a fixed fraction for every second."""
    return pa.array([f".{s * 7919 % 1_000_000:06}000 UTC" for s in range(DAY)])


def _unix(date: dt.date, seconds: Codes) -> Codes:
    """Return the Unix time (UTC)."""
    return seconds + np.int64((date - dt.date(1970, 1, 1)).days * DAY)


_SERVICES = np.array(
    [  # medians; sizes are bytes per packet, answers packets per packet, duration in ms
        ("TCP", 443, 0.42, network.EXTERNAL, 900, 9, 190, 1.3, 900),
        ("UDP", 53, 0.20, network.SERVER, 15, 1, 72, 1.0, 150),
        ("TCP", 80, 0.10, network.EXTERNAL, 300, 6, 140, 1.1, 800),
        ("UDP", 443, 0.07, network.EXTERNAL, 2000, 14, 240, 1.6, 1000),
        ("TCP", 445, 0.05, network.SERVER, 4000, 30, 310, 1.0, 600),
        ("UDP", 123, 0.04, network.EXTERNAL, 30, 1, 76, 1.0, 76),
        ("TCP", 389, 0.03, network.SERVER, 60, 7, 160, 0.9, 300),
        ("TCP", 993, 0.03, network.EXTERNAL, 20_000, 12, 110, 1.2, 420),
        ("TCP", 25, 0.02, network.EXTERNAL, 1500, 18, 700, 0.8, 90),
        ("TCP", 22, 0.02, network.SERVER, 60_000, 60, 130, 0.9, 180),
        ("ICMP", 0, 0.015, network.EXTERNAL, 1, 1, 84, 1.0, 84),
        ("TCP", 3389, 0.005, network.SERVER, 90_000, 200, 120, 1.4, 500),
    ],
    dtype=[
        *(("proto", "U4"), ("port", "i4"), ("share", "f8"), ("peer", "i4"), ("duration", "f8")),
        *(("packets", "f8"), ("size", "f8"), ("answers", "f8"), ("answer_size", "f8")),
    ],
)
_SERVICE = weighted(_SERVICES["share"])
_PROTOCOLS = pa.array(_SERVICES["proto"].tolist())
_FLAGS = pa.array([".AP.SF", ".AP.S.", ".A..SF", "....S.", "...RS.", ".APRSF", "......", None])
_TCP_FLAG, _OTHER_FLAG = weighted([62, 12, 8, 8, 5, 4, 0, 1]), weighted([0] * 6 + [97, 3])
_STOS = np.array([0, 8, 32, 72, 184], np.int32)[weighted([90, 4, 3, 2, 1])]
_ACTIVE_TIMEOUT = 1_800_000  # ms; routers cut longer flows


def _flow(rng: np.random.Generator, date: dt.date, seconds: Codes) -> Drawn:
    n = len(seconds)
    service = _SERVICE[slots(rng, n)]
    _, port, share, group, duration, packets, size, answers, answer_size = (
        _SERVICES[name][service] for name in _SERVICES.dtype.names or ()
    )
    family = _FAMILY[slots(rng, n)]
    client, _ = ADDRESSES.draw(rng, network.CLIENT + family)
    peer, rank = ADDRESSES.draw(rng, group + family)
    ephemeral = np.where(port > 0, rng.integers(32_768, 61_000, n, dtype=np.int32), 0)
    back = slots(rng, n) < SLOTS // 8  # the exporter took the server for the client
    place, mild, flag = slots(rng, n), MILD[slots(rng, n)], slots(rng, n)
    duration = np.minimum(np.rint(duration * HEAVY[place] * mild), _ACTIVE_TIMEOUT)
    packets = np.maximum(np.floor(packets * HEAVY[place]), 1)
    answers = np.ceil(packets * answers) * (slots(rng, n) < SLOTS * 85 // 100)
    is_tcp = (_SERVICES["proto"] == "TCP")[service]
    columns: dict[str, Column] = {
        "treceived": Text(pc.binary_join_element_wise(str(date), _clock(), " "), seconds),
        "unix_tstamp": _unix(date, seconds),
        "tryear": date.year,
        "trmonth": date.month,
        "trday": date.day,
        "trhour": seconds // 3600,
        "trminute": seconds // 60 % 60,
        "trsec": seconds % 60,
        "tdur": (duration / 1000).astype(np.float32),  # s
        "sip": Text(ADDRESSES.texts, np.where(back, peer, client)),
        "dip": Text(ADDRESSES.texts, np.where(back, client, peer)),
        "sport": np.where(back, port, ephemeral),
        "dport": np.where(back, ephemeral, port),
        "proto": Text(_PROTOCOLS, service),
        "flag": Text(_FLAGS, np.where(is_tcp, _TCP_FLAG[flag], _OTHER_FLAG[flag])),
        "fwd": 0,
        "stos": _STOS[slots(rng, n)],
        "ipkt": packets.astype(np.int64),
        "ibyt": (packets * np.rint(size * mild)).astype(np.int64),
        "opkt": answers.astype(np.int64),
        "obyt": (answers * np.rint(answer_size * MILD[slots(rng, n)])).astype(np.int64),
        "input": 1 + client % 4,
        "output": 1 + peer % 4,
        **dict.fromkeys(("sas", "das", "dtos", "dir"), 0),
        "rip": Text(network.ROUTERS, client % len(network.ROUTERS)),
    }
    return columns, share * _rarity(place) / (1 + rank)


_QUERIES = np.array(
    [
        (1, 0.52, network.FORWARD),  # A
        (28, 0.27, network.FORWARD),  # AAAA
        (12, 0.11, network.REVERSE),  # PTR
        (65, 0.05, network.FORWARD),  # HTTPS
        (33, 0.03, network.SERVICE),  # SRV
        (16, 0.01, network.FORWARD),  # TXT
        (15, 0.01, network.FORWARD),  # MX
    ],
    dtype=[("type", "i4"), ("share", "f8"), ("names", "i4")],
)
_QUERY = weighted(_QUERIES["share"])
_RCODE = np.array([0, 3, 2, 5], np.int32)[weighted([90, 7, 2, 1])]
_NAME_LENGTHS = pc.utf8_length(NAMES.texts).to_numpy()
_ANSWERS = pa.array([*network.EXTERNAL4, *network.EXTERNAL6, ""])
_V4, _V6 = len(network.EXTERNAL4), len(network.EXTERNAL6)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _dns(rng: np.random.Generator, date: dt.date, seconds: Codes) -> Drawn:
    n = len(seconds)
    query = _QUERY[slots(rng, n)]
    kind = _QUERIES["type"][query]
    name, rank = NAMES.draw(rng, _QUERIES["names"][query])
    rcode = _RCODE[slots(rng, n)]
    family = _FAMILY[slots(rng, n)]
    place = slots(rng, n)
    day = f"{_MONTHS[date.month - 1]} {date.day:2} {date.year} "
    # A name has one address of each family; no address is the empty text, as tshark writes it.
    found = [(rcode == 0) & (kind == 1), (rcode == 0) & (kind == 28)]  # noqa: PLR2004 (A, AAAA)
    address = np.select(found, [rank % _V4, _V4 + rank % _V6], _V4 + _V6)
    columns: dict[str, Column] = {
        "frame_time": Text(pc.binary_join_element_wise(day, _clock(), _fractions(), ""), seconds),
        "unix_tstamp": _unix(date, seconds),
        "frame_len": (72 + _NAME_LENGTHS[name] + np.rint(16 * MILD[place])).astype(np.int32),
        "ip_dst": Text(ADDRESSES.texts, ADDRESSES.draw(rng, network.CLIENT + family)[0]),
        "ip_src": Text(network.RESOLVERS, family),
        "dns_qry_name": Text(NAMES.texts, name),
        "dns_qry_class": "0x00000001",
        "dns_qry_type": kind,
        "dns_qry_rcode": rcode,
        "dns_a": Text(_ANSWERS, address),
    }
    return columns, _QUERIES["share"][query] * _rarity(place) / (1 + rank)


_PAGE = network.popular(len(PAGES["host"]))
_IS_CONNECT = pc.equal(PAGES["uripath"], "-").to_numpy(zero_copy_only=False)
_METHODS = pa.array(["GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT"])
_METHOD = weighted([86, 10, 2, 1, 1])
_AGENTS = pa.array(
    [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/119.0 Safari/537.36",
        "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 Mobile",
        'Updater "stable"; build=7',
        "Büro-Client/2.1 (Zürich)",
        "-",
    ]
)
_AGENT = weighted([50, 25, 15, 6, 3, 1])
_REFERERS = pa.array([None, "-", *(f"http://{host}/" for host in PAGES["host"][:200].to_pylist())])
_REFERER = weighted([3, 60, *[37 / 200] * 200])
_USERS = pa.array(["-", *(f"u{1000 + i}" for i in range(800))])
_CODES = {"200": 84, "304": 5, "302": 4, "404": 3, "403": 2, "204": 1, "503": 1}
_CODE = weighted(_CODES.values())
_SHARES = np.array(list(_CODES.values())) / 100
_DENIED = list(_CODES).index("403")


def _proxy(rng: np.random.Generator, date: dt.date, seconds: Codes) -> Drawn:
    n = len(seconds)
    page = _PAGE[slots(rng, n)]
    url = {name: Text(words, page) for name, words in PAGES.items()}
    method = np.where(_IS_CONNECT[page], len(_METHODS) - 1, _METHOD[slots(rng, n)])
    code = _CODE[slots(rng, n)]
    denied = (code == _DENIED).astype(np.int32)
    hit = 2 * (1 - denied) * (slots(rng, n) < SLOTS // 5)
    client, _ = ADDRESSES.draw(rng, network.CLIENT + _FAMILY[slots(rng, n)])
    place = slots(rng, n)
    columns: dict[str, Column] = {
        "p_date": str(date),
        "p_time": Text(_clock(), seconds),
        "clientip": Text(ADDRESSES.texts, client),
        "host": url["host"],
        "reqmethod": Text(_METHODS, method),
        "useragent": Text(_AGENTS, _AGENT[slots(rng, n)]),
        "resconttype": url["resconttype"],
        "duration": np.rint(90 * HEAVY[place] * MILD[slots(rng, n)]).astype(np.int32),  # ms
        "username": Text(_USERS, client % len(_USERS)),
        "authgroup": "-",
        "exceptionid": Text(["-", "policy_denied"], denied),
        "filterresult": Text(["OBSERVED", "DENIED"], denied),
        "webcat": url["webcat"],
        "referer": Text(_REFERERS, _REFERER[slots(rng, n)]),
        "respcode": Text(list(_CODES), code),
        "action": Text(["TCP_MISS", "TCP_DENIED", "TCP_HIT"], denied + hit),
        **{name: url[name] for name in ("urischeme", "uriport", "uripath", "uriquery")},
        **{name: url[name] for name in ("uriextension", "serverip")},
        "scbytes": np.rint(4200 * HEAVY[place]).astype(np.int64),
        "csbytes": np.rint(620 * MILD[slots(rng, n)]).astype(np.int64),
        **dict.fromkeys(("virusid", "bcappname", "bcappoper"), "-"),
        "fulluri": url["fulluri"],
    }
    return columns, _SHARES[code] * _rarity(place) / (1 + page)


def word(rows: pa.Table) -> pa.ChunkedArray:
    """Return spot-ml's word of a request: hour, method, bins, type, code, with substitute bins."""
    hour = pc.replace_substring_regex(rows["p_time"], "^0?([0-9]+):.*", r"\1")
    content = pc.replace_substring_regex(rows["resconttype"], "/.*", "")
    bins = [pc.utf8_length(rows[name]) for name in ("uriquery", "fulluri")]
    fields = ["0", hour, rows["reqmethod"], bins[0], content, "5", bins[1], rows["respcode"]]
    texts = [pc.fill_null(pc.cast(field, pa.string()), "null") for field in fields]
    return pc.binary_join_element_wise(*texts, "_")


DRAWS: Mapping[str, Draw] = {"flow": _flow, "proxy": _proxy, "dns": _dns}
