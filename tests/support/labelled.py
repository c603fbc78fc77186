"""Published days for tests of labels, made without a run."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analyst import Day, open_day
from analyst.actions import Action, to_json
from analyst.landed import story_rows
from python_enrichers import peers
from spot_oa.dates import Slice
from spot_oa.pipelines import Pipeline, Triage
from spot_oa.publish import published_folder
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse
from spot_oa.warehouse.tables import results_table, triage_tables

DATE = dt.date(2016, 7, 8)
PLAIN: Mapping[str, Mapping[str, Any]] = {
    "flow": {
        "tstart": "2016-07-08 05:03:12", "srcip": "10.0.0.5", "dstip": "203.0.113.250",
        "sport": 40000, "dport": 443, "proto": "TCP", "ipkt": 3, "ibyt": 152, "opkt": 4,
        "obyt": 900, "score": 1e-7, "rank": 0, "srcip_internal": 1, "destip_internal": 0,
        "src_geoloc": "", "dst_geoloc": "", "src_domain": "", "dst_domain": "", "src_rep": "",
        "dst_rep": "",
    },
    "dns": {
        "frame_time": "Jul  8 2016 05:03:12.1 UTC", "unix_tstamp": 1467954192, "frame_len": 90,
        "ip_dst": "10.0.0.5", "dns_qry_name": "a.example.org", "dns_qry_class": "0x00000001",
        "dns_qry_type": 1, "dns_qry_rcode": 0, "score": 1e-7, "tld": "example.org",
        "query_rep": "", "hh": 5, "dns_qry_class_name": "Internet (IN)", "dns_qry_type_name": "A",
        "dns_qry_rcode_name": "NoError", "network_context": "",
    },
    "proxy": {
        "tdate": "2016-07-08", "time": "05:03:12", "clientip": "10.0.0.5", "host": "example.org",
        "reqmethod": "GET", "useragent": "curl", "resconttype": "text/html", "duration": 12,
        "username": "-", "webcat": "-", "referer": "-", "respcode": "200", "uriport": "80",
        "uripath": "/a", "uriquery": "-", "serverip": "198.51.100.7", "scbytes": 1000,
        "csbytes": 300, "fulluri": "example.org/a", "word": "w", "ml_score": 1e-7, "uri_rep": "",
        "respcode_name": "OK", "network_context": "",
    },
}  # fmt: skip
"""A row of `<pipeline>_scores`."""

_TYPES = {
    "score": pa.float64(), "ml_score": pa.float64(), "ipkt": pa.int64(), "ibyt": pa.int64(),
    "opkt": pa.int64(), "obyt": pa.int64(), "unix_tstamp": pa.int64(), "frame_len": pa.int64(),
}  # fmt: skip


def publish(
    settings: Settings,
    pipeline: str,
    changes: Sequence[Mapping[str, Any]],
    *,
    date: dt.date = DATE,
    run_id: str = "run1",
) -> None:
    """Publish a day of plain rows, each with something changed, in order of rank.

    Where the scores have no rank of their own, a triage folder of the same run has it.
    """
    part = Slice(pipeline, date)
    rows = []
    for rank, change in enumerate(changes):
        row = dict(PLAIN[pipeline]) | change
        if "rank" in row:
            row["rank"] = rank
        rows.append(row | part.ymd)
    _write(settings.data_dir, part, f"{pipeline}_scores", rows, {"run_id": run_id})
    ranked = [row | {"rank": rank} for rank, row in enumerate(rows)]
    _write(settings.triage_dir, part, f"{pipeline}_triage", ranked, {"scores_run_id": run_id})


def _write(
    root: Any, part: Slice, table: str, rows: list[dict[str, Any]], manifest: Mapping[str, str]
) -> None:
    folder = published_folder(root, part)
    folder.mkdir(parents=True, exist_ok=True)
    names = rows[0] if rows else {**PLAIN[part.pipeline], **part.ymd, "rank": 0}
    plain = {**PLAIN[part.pipeline], "y": 0}
    schema = pa.schema(
        [
            (
                name,
                _TYPES.get(name, pa.string() if isinstance(plain.get(name), str) else pa.int32()),
            )
            for name in names
        ]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / f"{table}.parquet")
    (folder / "manifest.json").write_text(json.dumps(manifest))


def day(
    settings: Settings, pipeline: str = "flow", author: str = "ann", date: dt.date = DATE
) -> Day:
    return open_day(pipeline, date, settings=settings, author=author, made_with="cli")


def judge(settings: Settings, part: Slice) -> None:
    """Add labels and stories of every kind to a day that a run has published."""
    tell(settings, part)
    opened = day(settings, part.pipeline, date=part.date)
    opened.label_ranks(
        [0, 1, 2, 3], "high", note="o'brien;\n--\u202e \N{GREEK SMALL LETTER ALPHA}\\"
    )
    opened.label_ranks([1], "low")
    opened.label_ranks([2], "medium")
    opened.undo()
    opened.clear_ranks([3])
    first = opened.published.rows[0]
    if part.pipeline == "flow":
        opened.apply_rules(["eq"] * 6, ["", "", "", str(first["dport"]), "", ""], 2)
    if part.pipeline == "dns":
        opened.label("client", {"ip_dst": str(first["ip_dst"])}, "low")
        opened.label("query", {"dns_qry_name": str(first["dns_qry_name"])}, "medium")


def tell(settings: Settings, part: Slice) -> Day:
    """Add a story for each kind of anchor of the most suspicious row of a published day."""
    opened = day(settings, part.pipeline, date=part.date)
    for kind, anchor in _anchors(opened.published.rows[0], opened.triage):
        opened.save_story(kind, anchor, "o'brien's; \u202e", "one\ntwo\\", top_results=3)
    return opened


def land_stories(settings: Settings, pipeline: Pipeline, date: dt.date) -> None:
    """Land such stories without the store and the published day, without building their models."""
    part, warehouse, triage = Slice(pipeline.name, date), open_warehouse(settings), pipeline.triage
    assert triage is not None
    names = list(dict.fromkeys(name for columns in triage.anchors.values() for name in columns))
    fields = [triage.landed.get(name, name) for name in names]
    first = warehouse.rows(results_table(pipeline), fields, part)[0]
    anchors = _anchors(dict(zip(names, first, strict=True)), triage)
    actions = []
    for seq, (kind, anchor) in enumerate(anchors):
        told = to_json({"anchor_kind": kind, "anchor": anchor, "title": "t", "text": "x"})
        day_ = date.isoformat()
        actions.append(Action("ann", "cli", pipeline.name, day_, "story", seq=seq, payload=told))
    table = triage_tables(pipeline)["stories"]
    warehouse.prepare(peers.TABLES)
    warehouse.expose_telemetry(pipeline, [date])
    with warehouse.replacing(part, table, *peers.TABLES) as writer:
        writer.append(table, story_rows(table, actions))
        writer.append(*peers.TABLES, peers.look_up(settings, [anchor for _, anchor in anchors]))


def _anchors(row: Mapping[str, Any], triage: Triage) -> list[tuple[str, str]]:
    return [(kind, str(row[name])) for kind, columns in triage.anchors.items() for name in columns]


def severities(opened: Day, column: str | None = None) -> list[int]:
    """Return the current labels by rank."""
    return [each.severities[column] if column else int(each.severity) for each in opened.rows()]
