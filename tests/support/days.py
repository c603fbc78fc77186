"""Days made up by hypothesis: small, alike enough that rows meet, and with much that is odd.

Rows are a plain one with a few columns changed, so that a failing day shrinks to what matters.
Values keep within what the rules speak of (tests/support/oracle).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from spot_oa.pipelines import get_pipeline
from spot_oa.warehouse.tables import ARROW_TYPES
from tests.support.oracle import COLUMNS, Day
from tests.support.oracle.results import FIELDS, take

Changes = Mapping[str, Sequence[Any]]

ADDRESSES = [
    "10.0.0.5", "10.0.0.6", "10.0.0.255", "192.168.1.7", "8.8.8.8", "1.0.0.1", "0.0.0.0",
    "2001:db8::5", "2001:DB8::5", "2001:db8:ffff::", "::1", "::ffff:10.0.0.5", "::",
    "10.0.0.5 ", "10.0.0.05", "host", "fe80::1%eth0",
]  # fmt: skip
NAMES = [
    "www.example.com", "a.example.org", "b.a.example.org", "example.org", "localhost", "com",
    "shop.example.co.uk", "x.user.github.io", "8.8.8.8.in-addr.arpa", "o'brien.example.org",
    "xn--bcher-kva.example", "10.0.0.5", "b\u00fccher.example.com", "a..example.com", "12345",
    "x' or 1=1 -- .example.com", "www.example.com.", ".", "{{ 1 }}.example.net", "com;drop.net",
    "WWW.Example.com", "A.EXAMPLE.ORG.",
]  # fmt: skip
URIS = [
    "www.example.com/a/b?x=1", "www.example.com/a/b?x=10", "www.example.com/a", "example.org",
    "www.example.com/ab", "www.example.com/a#f", "198.51.100.7:80/x", "x.user.github.io/?u=a/b",
    "www.example.com/a/b?x='\"\\", "b.example.org:443", "/", "www.example.com/a\u2028b",
]  # fmt: skip
TEXTS = ["", "-", "null", "NULL", "\\N", "'", '"a', "a\\", ";", "\u202ea", "\x00", "\x1b[1m", "\r"]
NUMBERS = ["-", "", "nan", "1_0", "0x1f", "null", " 7", "-0", "1.9", "-1.9", "1E2", "9e99", "2.5E9"]
COUNTS = [None, 0, 1, 7, 2**31 - 1, 2**31, 2**50]


def _flow_raw(date: dt.date) -> tuple[dict[str, Any], Changes]:
    plain: dict[str, Any] = {
        "treceived": f"{date} 05:03:07", "unix_tstamp": 1467954187, "tryear": date.year,
        "trmonth": date.month, "trday": date.day, "trhour": 5, "trminute": 3, "trsec": 7,
        "tdur": 0.5, "sip": "10.0.0.5", "dip": "8.8.8.8", "sport": 40000, "dport": 443,
        "proto": "TCP", "flag": ".AP.SF", "fwd": 0, "stos": 0, "ipkt": 5, "ibyt": 500, "opkt": 4,
        "obyt": 900, "input": 1, "output": 2, "sas": 0, "das": 0, "dtos": 0, "dir": 0,
        "rip": "172.16.0.1", "h": 5,
    }  # fmt: skip
    return plain, {
        "treceived": [None, "", "not a time", f"{date} 25:00:00", f"{date} 05:03:07.123"],
        "unix_tstamp": [None],
        "tryear": [None, date.year - 1],
        "trmonth": [None, 1],
        "trday": [None, 2],
        "trhour": [None, 6],
        "trminute": [None, 0, 4],
        "trsec": [None],
        "sip": [None, *ADDRESSES],
        "dip": [None, *ADDRESSES],
        "sport": [None, 0],
        "dport": [None, 65535],
        "proto": [None, *TEXTS],
        "flag": [None, "'"],
        "ipkt": COUNTS,
        "ibyt": COUNTS,
        "opkt": COUNTS,
        "obyt": COUNTS,
        "rip": [None, ""],
        "h": [0, 4, 6, 23],
    }


def _flow_result(date: dt.date) -> tuple[dict[str, str], Changes]:
    before = date - dt.timedelta(days=1)
    plain = {
        "treceived": f"{date} 05:03:07", "tryear": str(date.year), "trmonth": str(date.month),
        "trday": str(date.day), "trhour": "5", "trminute": "3", "trsec": "7", "tdur": "0.5",
        "sip": "10.0.0.5", "dip": "8.8.8.8", "sport": "40000", "dport": "443", "proto": "TCP",
        "ipkt": "5", "ibyt": "500", "opkt": "4", "obyt": "900", "score": "1.2E-7",
    }  # fmt: skip
    return plain, {
        "treceived": TEXTS,
        "tryear": [*NUMBERS, str(date.year - 1)],
        "trmonth": ["null", f"{date.month:02}", str(before.month)],
        "trday": ["-", f"{date.day}.0", str(before.day)],
        "trhour": [*NUMBERS, "05", "0", "6"],
        "trminute": [*NUMBERS, "4"],
        "sip": [*TEXTS, *ADDRESSES],
        "dip": [*TEXTS, *ADDRESSES, *ADDRESSES],
        "sport": NUMBERS,
        "proto": TEXTS,
        "ipkt": NUMBERS,
        "ibyt": [*NUMBERS, str(2**63 - 1), str(2**63), str(-(2**63))],
        "score": [*NUMBERS, "1.0E-300", "0", "Infinity"],
    }


def _proxy_raw(date: dt.date) -> tuple[dict[str, Any], Changes]:
    plain: dict[str, Any] = {
        **dict.fromkeys(get_pipeline("proxy").telemetry.columns, "-"),
        "p_date": str(date), "p_time": "04:05:06", "clientip": "10.0.0.5", "respcode": "200",
        "host": "www.example.com", "fulluri": "www.example.com/a", "duration": 12, "scbytes": 1000,
        "csbytes": 300, "h": 4,
    }  # fmt: skip
    return plain, {
        "p_date": [None, str(date - dt.timedelta(days=1))],
        "p_time": [None, *_TIMES],
        "clientip": [None, *ADDRESSES],
        "host": [None, "", "o'brien"],
        "useragent": [None, *TEXTS, "two\nlines\tand a tab"],
        "webcat": [None, "z"],
        "respcode": [None, *_HTTP],
        "uriport": [None, "-", "80"],
        "scbytes": [None, -1, 9, 10, 3_000_000_000],
        "fulluri": [None, *URIS],
        "bcappoper": [None, "a", "B"],
        "h": [0, 3, 5, 23],
    }


_TIMES = [
    "4:5:6", "4:5", "04:05:06.25", "04:59:59", "-", "", "24:00:00", "08:05 PM", "4", "04:60:00",
    "00:00:00", "23:59:59", "04:05:06 ", "04:05:07", "4:05:05.9",
]  # fmt: skip
_HTTP = ["404", "418", "999", "-", "abc", "100", "-1", "20 0"]


def _proxy_result(date: dt.date) -> tuple[dict[str, str], Changes]:
    plain = {
        **dict.fromkeys(FIELDS["proxy"], "-"),
        "p_date": str(date), "p_time": "04:05:06", "clientip": "10.0.0.5", "respcode": "200",
        "duration": "12", "scbytes": "1000", "csbytes": "300", "fulluri": "www.example.com/a",
        "score": "1.2E-7",
    }  # fmt: skip
    return plain, {
        "p_date": ["null", str(date - dt.timedelta(days=1))],
        "p_time": ["null", *_TIMES],
        "clientip": [*TEXTS, *ADDRESSES],
        "host": TEXTS,
        "useragent": TEXTS,
        "duration": NUMBERS,
        "csbytes": NUMBERS,
        "respcode": ["null", *_HTTP],
        "fulluri": [*TEXTS, *URIS, *URIS],
        "word": TEXTS,
        "score": NUMBERS,
    }


def _dns_raw(date: dt.date) -> tuple[dict[str, Any], Changes]:
    noon = _noon(date)
    plain: dict[str, Any] = {
        "frame_time": "Jul  8 2016 12:00:00.000000000 UTC", "unix_tstamp": noon, "frame_len": 100,
        "ip_dst": "10.0.0.5", "ip_src": "10.0.0.53", "dns_qry_name": "www.example.com",
        "dns_qry_class": "0x00000001", "dns_qry_type": 1, "dns_qry_rcode": 0, "dns_a": "192.0.2.1",
        "h": 12,
    }  # fmt: skip
    return plain, {
        "frame_time": [None, ""],
        "unix_tstamp": [None, *_moments(date)],
        "frame_len": [None, 9, 20],
        "ip_dst": [None, *ADDRESSES],
        "ip_src": [None, ""],
        "dns_qry_name": [None, *NAMES],
        "dns_qry_class": [None, *_CLASSES],
        "dns_qry_type": [None, *_TYPES],
        "dns_qry_rcode": [None, -1, 3, 77],
        "dns_a": [None, *TEXTS],
        "h": [0, 23],
    }


_CLASSES = ["0x1", "1", "3", "0x00000003", "0x00000099", "unknown", "", "abc", "-1", "254"]
_TYPES = [-1, 0, 10, 28, 999, 65535]


def _noon(date: dt.date) -> int:
    return int(dt.datetime(date.year, date.month, date.day, 12, tzinfo=dt.UTC).timestamp())


def _moments(date: dt.date) -> list[int]:
    noon = _noon(date)
    days = [noon - 86400, noon + 86400]
    return [noon + 1, noon + 3599, noon + 3600, noon - 1, *days, 0, -1, -3601, 253402300799]


def _dns_result(date: dt.date) -> tuple[dict[str, str], Changes]:
    plain = {
        "frame_time": "Jul  8 2016 12:00:00.000000000 UTC", "unix_tstamp": str(_noon(date)),
        "frame_len": "100", "ip_dst": "10.0.0.5", "dns_qry_name": "www.example.com",
        "dns_qry_class": "0x00000001", "dns_qry_type": "1", "dns_qry_rcode": "0",
        "score": "1.2E-7",
    }  # fmt: skip
    return plain, {
        "frame_time": TEXTS,
        "unix_tstamp": [*NUMBERS, *map(str, _moments(date)), f"{_noon(date)}.5"],
        "frame_len": NUMBERS,
        "ip_dst": [*TEXTS, *ADDRESSES],
        "dns_qry_name": [*TEXTS, *NAMES, *NAMES],
        "dns_qry_class": ["null", *_CLASSES],
        "dns_qry_type": [*NUMBERS, *map(str, _TYPES)],
        "dns_qry_rcode": [*NUMBERS, "77"],
        "score": NUMBERS,
    }


RAW = {"flow": _flow_raw, "proxy": _proxy_raw, "dns": _dns_raw}
RESULT = {"flow": _flow_result, "proxy": _proxy_result, "dns": _dns_result}
# Changed from copy to copy where one event comes often, so that which are shown is told apart.
VARIED: Mapping[str, Changes] = {
    "flow": {"ibyt": [1, 2]},
    "proxy": {"p_time": ["04:05:06", "4:05:06.5"], "scbytes": [9, 10, None]},
    "dns": {"dns_a": ["b", "a", None], "frame_len": [9, 10]},
}


def _changed(of: tuple[dict[str, Any], Changes]) -> st.SearchStrategy[dict[str, Any]]:
    plain, changes = of
    pairs = [(name, value) for name, values in changes.items() for value in values]
    return st.lists(st.sampled_from(pairs), max_size=3).map(lambda some: {**plain, **dict(some)})


@st.composite
def _telemetry(draw: st.DrawFn, pipeline: str, date: dt.date) -> list[dict[str, Any]]:
    rows = []
    for row in draw(st.lists(_changed(RAW[pipeline](date)), max_size=6)):
        for copy in range(draw(st.sampled_from([1, 1, 1, 1, 2, 253]))):
            varied = {name: values[copy % len(values)] for name, values in VARIED[pipeline].items()}
            rows.append({**row, **(varied if copy else {})})
    ymd = {"y": date.year, "m": date.month, "d": date.day}
    return [{**row, **ymd} for row in rows]


ENDS = [b"\n", b"\n", b"\n", b"\r\n"]
SPOILED = [
    lambda line: line.replace(b"\t", b" ", 1),
    lambda line: line + b"\t",
    lambda line: b"",
    lambda line: b"\xff" + line,
    lambda line: line.replace(b"10.0.0.5", b"caf\xe9"),
    lambda line: line.replace(b"\t", b"\r\t", 1),
    lambda line: line[: len(line) // 2],
]


@st.composite
def results(draw: st.DrawFn, pipeline: str, date: dt.date) -> bytes:
    data = b""
    for fields in draw(st.lists(_changed(RESULT[pipeline](date)), max_size=6)):
        line = "\t".join(fields.values()).encode()
        if draw(st.sampled_from([False, False, False, True])):
            line = draw(st.sampled_from(SPOILED))(line)
        data += line + draw(st.sampled_from(ENDS))
    return data.removesuffix(b"\n") if draw(st.booleans()) else data


LABELS = [
    "Lab",
    "",
    'Smith, J. "x"',
    "a;b",
    "a:::b",
    "\u65e5\u672c",
    "=1+1",
    "it's",
    "-",
    "{{ 1 }}",
]
IPLOC = [
    (0, 0), (16777216, 16777471), (134744072, 134744072), (167772160, 184549375), (1, 0),
    (42540766411282592856903984951653826560, 42540766490510755371168322545197776895), ("x", 1),
]  # fmt: skip
RANGES = [
    ("10.0.0.5", "10.0.0.6"), ("10.0.0.0", "10.255.255.255"), ("8.8.8.8", "8.8.8.8"),
    ("2001:db8::", "2001:db8::ffff"), ("::", "::1"), ("10.0.0.9", "10.0.0.1"), ("10.0.0.1", "::1"),
    ("10.0.0.0/8", "11.0.0.0"), ("0.0.0.0", "255.255.255.255"), ("10.0.0.0/24", "Lab"),
    ("2001:db8::-2001:db8::1", ""),
]  # fmt: skip
KEYS = [
    "10.0.0.5", "10.0.0.6", "10.0.0.0/24", "10.0.0.0-10.0.0.9", "10.0.0.5-10.0.0.5", "10.0.0.0/8",
    "2001:db8::/32", "2001:db8::5", "::/0", "0.0.0.0/0", "10.0.0.300", "10.0.0.9-10.0.0.1", "",
    "10.0.0.0/33", "8.8.8.8/32",
]  # fmt: skip
LISTED = {
    "flow": ["10.0.0.5", "10.0.0.0/24", "10.0.0.0/8", "2001:db8::/32", "::1", "8.8.8.8"],
    "proxy": [
        "www.example.com/a/b?x=1", "www.example.com/a", "www.example.com/a/", "www.example.com",
        "example.com", "198.51.100.0/24", "198.51.100.7", "user.github.io", "github.io",
    ],
    "dns": [
        "www.example.com", "example.org", "b.a.example.org", "example.co.uk", "localhost", "com",
        "user.github.io", "12345", "o'brien.example.org",
    ],
}  # fmt: skip


@st.composite
def contexts(draw: st.DrawFn, pipeline: str) -> dict[str, bytes]:
    """Files of a context folder; each may be missing."""
    label = st.sampled_from(LABELS)
    degrees = st.sampled_from(["52.5", "-13.25", "0", "", "nan", "north"])
    place = st.tuples(*[label] * 4, degrees, degrees, label, label).map(list)
    kinds: dict[str, tuple[list[str], st.SearchStrategy[Any], list[str]]] = {
        "ipranges.csv": (
            ["start", "end", "label"],
            st.tuples(st.sampled_from(RANGES), label).map(lambda pair: [*pair[0], pair[1]]),
            [*RANGES[0], "Lab"],
        ),
        "networkcontext.csv": (
            ["IP", "Name"],
            st.tuples(st.sampled_from(KEYS), label).map(list),
            [KEYS[0], "Lab"],
        ),
    }
    for service in ("b", "a", "c-1"):
        kinds[f"reputation/{service}.csv"] = (
            ["indicator", "label", "severity"],
            st.tuples(
                st.sampled_from(LISTED[pipeline]),
                label,
                st.sampled_from(["-1", "0", "3", "3", "4", "high", ""]),
            ).map(list),
            [LISTED[pipeline][0], "Lab", "3"],
        )
    files = {}
    for name, (header, line, good) in kinds.items():
        if draw(st.booleans()):
            lines = draw(st.lists(line, max_size=5))
            # A file without valid lines fails the run, and so does ipranges.csv without a range.
            needed = lines or name == "ipranges.csv"
            files[name] = draw(_file(header, [*lines, good] if needed else []))
    if draw(st.booleans()):
        # No overlapping ranges: no rule defines which one counts.
        some = draw(st.lists(st.sampled_from(IPLOC), unique=True, max_size=5))
        lines = [[*ends, *draw(place)] for ends in dict.fromkeys([*some, IPLOC[0]] if some else [])]
        files["iploc.csv"] = draw(_file(["start", "end"], lines))
    return files


@st.composite
def _file(draw: st.DrawFn, header: list[str], lines: list[list[Any]]) -> bytes:
    text = io.StringIO()
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(text, lineterminator=draw(st.sampled_from(["\n", "\r\n"])), quoting=quoting)
    writer.writerow(header)
    for line in lines:
        writer.writerow(line)
        text.write(draw(st.sampled_from(["", "", "", "\n", "  \n", "short\n"])))
    mark = b"\xef\xbb\xbf" if draw(st.booleans()) else b""
    return mark + text.getvalue().encode()


@st.composite
def batches(draw: st.DrawFn, pipeline: str, first: dt.date, most: int) -> list[Day]:
    """Consecutive days with shared context files."""
    context = draw(contexts(pipeline))
    days = []
    for number in range(draw(st.integers(1, most))):
        date = first + dt.timedelta(days=number)
        limit = draw(st.sampled_from([500, 500, 500, 2, 1, 0]))
        data = draw(results(pipeline, date).filter(partial(_is_usable, pipeline, limit)))
        days.append(Day(pipeline, date, limit, data, draw(_telemetry(pipeline, date)), context))
    return days


def _is_usable(pipeline: str, limit: int, data: bytes) -> bool:
    """Ensure that a results file has a valid line; without one the run fails."""
    landed = take(pipeline, data, limit)
    return bool(landed.rows) or not landed.rejects


def lay_out(days: Sequence[Day], home: Path) -> None:
    """Write the input of a run below `home`, with padded and unpadded partitions."""
    for name, data in days[0].context.items():
        file = home / "context" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    for day in days:
        write_results(day, home)
        root = home / "raw" / day.pipeline
        root.mkdir(parents=True, exist_ok=True)
        columns = get_pipeline(day.pipeline).telemetry.columns
        y, m, d = day.date.year, day.date.month, day.date.day
        pad = 2 if d % 2 else 1
        for h in {row["h"] for row in day.telemetry}:
            rows = [row for row in day.telemetry if row["h"] == h]
            folder = root / f"y={y}" / f"m={m:0{pad}}" / f"d={d:0{pad}}" / f"h={h:0{pad}}"
            folder.mkdir(parents=True)
            table = pa.table(
                {
                    name: pa.array([row[name] for row in rows], ARROW_TYPES[kind])
                    for name, kind in columns.items()
                }
            )
            pq.write_table(table, folder / "part-0.parquet")


def write_results(day: Day, home: Path) -> Path:
    scores = home / "ml" / day.pipeline / "scored_results" / f"{day.date:%Y%m%d}" / "scores"
    scores.mkdir(parents=True, exist_ok=True)
    file = scores / f"{day.pipeline}_results.csv"
    file.write_bytes(day.results)
    return file


def read_telemetry(root: Path, date: dt.date) -> list[dict[str, Any]]:
    """Return the raw rows of a day with y, m, d and h, from a pipeline's Parquet tree."""
    found: list[dict[str, Any]] = []
    for file in root.glob("y=*/m=*/d=*/h=*/*.parquet"):
        parts = {key: int(value) for key, value in (p.split("=") for p in file.parts if "=" in p)}
        if (parts["y"], parts["m"], parts["d"]) == (date.year, date.month, date.day):
            found += [{**row, **parts} for row in pq.ParquetFile(file).read().to_pylist()]
    return found


def read_day(home: Path, pipeline: str, date: dt.date, limit: int) -> Day:
    """Return the input that a run reads from a home."""
    scores = home / "ml" / pipeline / "scored_results" / f"{date:%Y%m%d}" / "scores"
    context = home / "context"
    return Day(
        pipeline,
        date,
        limit,
        (scores / f"{pipeline}_results.csv").read_bytes(),
        read_telemetry(home / "raw" / pipeline, date),
        {str(f.relative_to(context)): f.read_bytes() for f in context.rglob("*") if f.is_file()},
    )


def read_published(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of every published table of a day, in the columns of the last release."""
    return {
        file.stem: [
            tuple(row[name] for name in COLUMNS[file.stem])
            for row in pq.ParquetFile(file).read().to_pylist()
        ]
        for file in folder.glob("*.parquet")
        if file.stem in COLUMNS
    }
