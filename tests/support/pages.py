"""Published days for tests of reports, and readers of reports."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from spot_oa.settings import Settings
from tests.support.hostile import hostile_texts
from tests.support.markup import HOSTILE as MARKUP

DATE = dt.date(2016, 7, 8)
NEXT = dt.date(2016, 7, 9)
Row = dict[str, Any]
HOSTILE = (*MARKUP, *hostile_texts())
VOID = {"br", "meta", "input", "link", "img", "hr", "base"}
KINDS = {int: pa.int64(), float: pa.float64(), str: pa.string()}


def flow(rank: int = 0, **given: Any) -> Row:
    row = {
        "tstart": "2016-07-08 01:02:03",
        "srcip": "10.0.0.1",
        "dstip": "198.51.100.1",
        "sport": 51234,
        "dport": 443,
        "proto": "TCP",
        "ipkt": 5,
        "ibyt": 500,
        "opkt": 4,
        "obyt": 400,
        "score": 1e-9,
        "rank": rank,
        "srcip_internal": 1,
        "destip_internal": 0,
        "src_geoloc": "",
        "dst_geoloc": "Zenda;Strelsau Host",
        "src_domain": "",
        "dst_domain": "",
        "src_rep": "",
        "dst_rep": "",
    }
    return row | given


def dns(**given: Any) -> Row:
    row = {
        "frame_time": "Jul  8 2016 05:00:00.0 UTC",
        "unix_tstamp": 1467954000,
        "frame_len": 90,
        "ip_dst": "10.0.0.1",
        "dns_qry_name": "www.example.net",
        "dns_qry_class": "0x00000001",
        "dns_qry_type": 1,
        "dns_qry_rcode": 0,
        "score": 1e-8,
        "tld": "example.net",
        "query_rep": "",
        "hh": 5,
        "dns_qry_class_name": "Internet (IN)",
        "dns_qry_type_name": "A",
        "dns_qry_rcode_name": "NoError",
        "network_context": "sales",
    }
    return row | given


def proxy(**given: Any) -> Row:
    row = {
        "tdate": "2016-07-08",
        "time": "07:08:09",
        "clientip": "10.0.0.1",
        "host": "web.example.org",
        "reqmethod": "GET",
        "useragent": "agent",
        "resconttype": "text/html",
        "duration": 5,
        "username": "",
        "webcat": "",
        "referer": "",
        "respcode": "200",
        "uriport": "80",
        "uripath": "/",
        "uriquery": "",
        "serverip": "198.51.100.7",
        "scbytes": 900,
        "csbytes": 100,
        "fulluri": "web.example.org/a",
        "word": "",
        "ml_score": 1e-7,
        "uri_rep": "",
        "respcode_name": "OK",
        "network_context": "sales",
    }
    return row | given


SCORES = {"flow": flow, "dns": dns, "proxy": proxy}
EDGE = {
    "flow": ("tstart", "srcip", "dstip", "sport", "dport", "proto", "flags", "ibyt", "ipkt", "hh"),
    "dns": ("unix_tstamp", "ip_dst", "dns_qry_name", "dns_a", "hh"),
    "proxy": ("tdate", "time", "clientip", "host", "fulluri", "hh"),
}
OTHERS = {
    "flow": {
        "chords": ("ip_threat", "srcip", "dstip", "ibyt", "ipkt"),
        "addresses": (
            "ip",
            "is_internal",
            "place",
            "latitude",
            "longitude",
            "context",
            "severity",
        ),
    },
    "dns": {"dendro": ("unix_tstamp", "dns_a", "dns_qry_name", "ip_dst")},
    "proxy": {},
}
WHOLE = {
    "ibyt", "ipkt", "sport", "dport", "hh", "unix_tstamp", "total", "frame_len", "is_internal",
    "severity",
}  # fmt: skip
DEGREES = {"latitude", "longitude"}


def publish(
    settings: Settings,
    pipeline: str,
    scores: Sequence[Row],
    *,
    date: dt.date = DATE,
    manifest: Mapping[str, Any] | None = None,
    **tables: Sequence[Row],
) -> Path:
    """Write a day of a built-in pipeline; tables that are not given are empty."""
    folder = settings.data_dir / pipeline / f"{date:%Y%m%d}"
    folder.mkdir(parents=True, exist_ok=True)
    columns = {
        "scores": tuple(SCORES[pipeline]()),
        "edge": EDGE[pipeline],
        "ingest_summary": ("tdate", "total"),
        **OTHERS[pipeline],
    }
    example = SCORES[pipeline]()
    rows_of = {"scores": scores, **tables}
    listed = {}
    for name, names in columns.items():
        rows = list(rows_of.get(name, ()))
        arrays = {}
        for column in names:
            kind = KINDS[type(example[column])] if name == "scores" else None
            other = pa.float64() if column in DEGREES else pa.string()
            kind = kind or (pa.int64() if column in WHOLE else other)
            arrays[column] = pa.array([row.get(column) for row in rows], kind)
        pq.write_table(pa.table(arrays), folder / f"{pipeline}_{name}.parquet")
        listed[f"{pipeline}_{name}"] = {"file": f"{pipeline}_{name}.parquet", "rows": len(rows)}
    said = {
        "pipeline": pipeline,
        "date": date.isoformat(),
        "run_id": f"{pipeline}-{date}",
        "limit": 500,
        "input": {"source_sha256": "a" * 64},
        "tables": listed,
        "sources": [],
        "warnings": [],
    }
    text = json.dumps({**said, **(manifest or {})})
    (folder / "manifest.json").write_text(text)
    return folder


def hostile_rows(example: Row) -> list[Row]:
    texts = [name for name, value in example.items() if isinstance(value, str)]
    return [example | dict.fromkeys(texts, text) | {"rank": n} for n, text in enumerate(HOSTILE)]


def publish_hostile(settings: Settings) -> None:
    """Write a day with hostile text in every column, in the manifest and in labels.

    The day before has the same labels, which the details of the day's rows tell.
    """
    for pipeline, example in (("flow", flow()), ("dns", dns()), ("proxy", proxy())):
        rows = hostile_rows(example)
        source = {"status": "failed", "asked": 1, "found": 0}
        manifest = {
            "warnings": list(HOSTILE),
            "run_id": HOSTILE[0],
            "sources": [
                {**source, "source": text, "detail": text, "attribution": text} for text in HOSTILE
            ],
        }
        chords = [
            {"ip_threat": HOSTILE[0], "srcip": HOSTILE[0], "dstip": text, "ibyt": 1}
            for text in HOSTILE
        ]
        places = [
            {"ip": text, "place": text, "context": text, "latitude": 1.0, "longitude": 2.0 * n}
            for n, text in enumerate(HOSTILE)
        ]
        flows = {"chords": chords, "addresses": places}
        more = {"flow": flows, "dns": {"dendro": rows}, "proxy": {}}[pipeline]
        folder = publish(settings, pipeline, rows, edge=rows, manifest=manifest, **more)
        for date in (DATE, DATE - dt.timedelta(days=1)):
            _label_hostile(settings, folder / f"{pipeline}_scores.parquet", pipeline, date)


def _label_hostile(settings: Settings, scores: Path, pipeline: str, date: dt.date) -> None:
    """Write a triage of rows of scores: authors, rules and notes are hostile."""
    folder = settings.triage_dir / pipeline / f"{date:%Y%m%d}"
    folder.mkdir(parents=True, exist_ok=True)
    table = pq.ParquetFile(scores).read()
    for name in ("severity_name", "scored_by", "scored_at", "note", "rule_id"):
        table = table.append_column(name, pa.array(HOSTILE))
    by_rule = ["rule" if place % 2 else "" for place in range(len(HOSTILE))]
    table = table.append_column("via", pa.array(by_rule))
    table = table.append_column("severity", pa.array([1] * len(HOSTILE)))
    pq.write_table(table, folder / f"{pipeline}_triage.parquet")
    (folder / "manifest.json").write_text(json.dumps({"scores_run_id": HOSTILE[0]}))


def publish_many(settings: Settings) -> None:
    many = range(1000)
    rows = [flow(n, srcip=f"10.{n % 7}.0.{n % 250}", dstip=f"198.18.{n % 99}.1") for n in many]
    publish(settings, "flow", rows, edge=rows)
    publish(settings, "dns", [dns(dns_qry_name=f"n{n}.example{n % 90}.net") for n in many])
    requests = [proxy(fulluri=f"web.example.org/{'a' * 60}{n}") for n in many]
    publish(settings, "proxy", requests)


class Page(HTMLParser):
    """A parsed page: elements with attributes, and texts by their element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = text
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self._in = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._in = tag if tag in self.raw else self._in

    def handle_endtag(self, tag: str) -> None:
        self._in = "" if tag == self._in else self._in

    def handle_data(self, data: str) -> None:
        if self._in:
            self.raw[self._in].append(data)
        elif data.strip():
            self.texts.append(data)

    def all(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for name, attributes in self.elements if name == tag)

    @property
    def policy(self) -> dict[str, str]:
        (content,) = (
            each["content"]
            for each in self.all("meta")
            if each.get("http-equiv") == "Content-Security-Policy"
        )
        parts = (part.strip().partition(" ") for part in content.split(";"))
        return {name: value for name, _, value in parts}

    @property
    def data(self) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self.raw["script"][0])
        return made

    @property
    def shown(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))


def hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
