"""Why a row is here: from published files and the store, and never applied."""

from __future__ import annotations

import datetime as dt
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spot_oa.dates import Slice
from spot_oa.errors import UsageError
from spot_oa.publish import published_folder
from spot_oa.settings import Settings
from tests.support.labelled import DATE, day, publish
from tests.support.markup import HOSTILE

BEFORE = DATE - dt.timedelta(days=1)
X, Y = "10.1.2.3", "198.51.100.9"
BAD = "blocklist:MALICIOUS:3"


def test_all_that_is_known_of_a_connection(settings: Settings) -> None:
    publish(settings, "flow", [{"srcip": X}, {"srcip": X}], date=BEFORE)
    day(settings, date=BEFORE, author="bob").label_ranks([1], "low", note="backup")
    rows = [
        {"srcip": X, "dstip": Y, "dst_rep": BAD, "score": 1e-9},
        {"srcip": X, "dstip": "192.0.2.1", "score": 1e-8},
        {"srcip": Y, "dstip": X, "score": 1e-7},
    ]
    publish(settings, "flow", rows)
    opened = day(settings)
    opened.label_ranks([0], "high", note="exfiltration")
    before = opened.actions()
    said = opened.explain(0).topics
    assert said["score"] == ["1e-09; before 2 of the day's 3 rows (66.7 %)"]
    assert said["reputation"] == [f"{Y}: blocklist: MALICIOUS, severity 3"]
    assert said["severity"][0].startswith("High, by ann at ")
    assert said["severity"][0].endswith(": exfiltration")
    assert said["that day"] == [
        f"{X}: 2 rows as srcip, 2 other ends",
        f"{Y}: 1 row as dstip, 1 other end",
    ]
    assert said["seen"] == [
        f"{X}: first on {BEFORE}, on 1 of 1 published day before",
        f"{Y}: on none of 1 published day before",
    ]
    (labelled,) = said["labelled"]
    assert labelled.startswith(f"{X}: Low, by bob at ")
    assert labelled.endswith(f": backup (flow {BEFORE})")
    # Shown, never applied.
    assert opened.actions() == before
    assert [int(each.severity) for each in opened.rows()] == [1, 0, 0]


def test_days_that_only_rules_label_are_known_too(settings: Settings) -> None:
    publish(settings, "flow", [{"srcip": X}], date=BEFORE)
    publish(settings, "flow", [{"srcip": X}])
    rule = "{id: r, when: [{field: srcip, op: eq, value: %s}], severity: low, enabled: true}"
    settings.rules_dir.mkdir(parents=True)
    (settings.rules_dir / "flow.yml").write_text(f"- {rule % X}\n")
    labelled, *_ = day(settings).explain(0).topics["labelled"]
    assert labelled.startswith(f"{X}: Low")
    assert labelled.endswith(f"(flow {BEFORE})")


def test_every_rule_that_matches_a_row_is_shown(settings: Settings) -> None:
    publish(settings, "flow", [{"srcip": X, "dstip": Y}, {"srcip": "\x1b[31m", "dstip": None}])
    rules = [
        ("b", {"field": "srcip", "op": "eq", "value": X}, "medium", "to {dstip}"),
        ("a", {"field": "dstip", "op": "is_null"}, "low", "from {srcip}"),
        ("c", {"field": "srcip", "op": "prefix", "value": X[:3]}, "high", ""),
    ]
    keys = ("id", "when", "severity", "reason")
    file = settings.rules_dir / "flow.yml"
    file.parent.mkdir(parents=True)
    file.write_text(
        json.dumps(
            [
                dict(zip(keys, (name, [when], *rest), strict=True)) | {"enabled": True}
                for name, when, *rest in rules
            ]
        )
    )
    said = day(settings).explain(0).topics
    assert said["severity"] == ["High, by rule c"]
    assert said["rules"] == [f"Medium, by rule b: to {Y}"]
    assert day(settings).explain(1).topics["severity"] == ["Low, by rule a: from \\x1b[31m"]
    opened = day(settings)
    opened.label_ranks([0], "low")
    assert opened.explain(0).topics["severity"][0].startswith("Low, by ann at ")
    assert opened.explain(0).topics["rules"] == ["High, by rule c", f"Medium, by rule b: to {Y}"]


def test_names_compare_without_case_and_addresses_over_pipelines(settings: Settings) -> None:
    publish(settings, "dns", [{"ip_dst": X, "dns_qry_name": "C2.Example.net."}], date=BEFORE)
    publish(settings, "flow", [{"srcip": X}], date=BEFORE)
    day(settings, "dns", date=BEFORE).label("query", {"dns_qry_name": "c2.example.net"}, "high")
    day(settings, "flow", date=BEFORE).label("ip", {"ip": X}, "medium")
    publish(settings, "dns", [{"ip_dst": X, "dns_qry_name": "c2.example.NET"}])
    said = day(settings, "dns").explain(0).topics
    assert said["seen"] == [
        f"{X}: first on {BEFORE}, on 1 of 1 published day before",
        f"c2.example.NET: first on {BEFORE}, on 1 of 1 published day before",
    ]
    texts = " ".join(said["labelled"])
    assert f"(flow {BEFORE})" in texts
    assert "c2.example.NET: High" in texts


def test_the_scorer_s_reasons_are_those_of_the_row(settings: Settings) -> None:
    publish(settings, "flow", [{"sport": 1}, {"sport": 2}])
    folder = published_folder(settings.data_dir, Slice("flow", DATE))
    keys = [each.key for each in day(settings).rows()]
    assert "reasons" not in day(settings).explain(0).topics
    reasons = pa.table({"row_key": keys, "reason": ["every 12 s, 53 times; long", "\x1b[31mred"]})
    pq.write_table(reasons, folder / "flow_reasons.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "tables": {"flow_reasons": {}}}))
    assert day(settings).explain(0).topics["reasons"] == ["every 12 s, 53 times", "long"]
    assert day(settings).explain(1).topics["reasons"] == ["\\x1b[31mred"]


def test_a_first_day_and_a_row_of_which_nothing_is_known(settings: Settings) -> None:
    publish(settings, "proxy", [{"fulluri": "www.example.com/a", "clientip": X}])
    told = day(settings, "proxy").explain(0)
    assert told.topics["seen"] == ["none of the 90 days before is published"]
    assert told.topics["severity"] == ["not scored"]
    assert told.topics["reputation"] == ["no reputation service lists its addresses or names"]
    assert "labelled" not in told.topics
    assert str(told).splitlines()[0] == f"proxy {DATE}, rank 0"


def test_a_rank_that_is_not_there_is_refused(settings: Settings) -> None:
    publish(settings, "flow", [{}])
    with pytest.raises(UsageError, match=r"rank 7 is not in flow .*: it has 1 row$"):
        day(settings).explain(7)


def test_what_traffic_says_stays_on_its_line(settings: Settings) -> None:
    publish(settings, "dns", [{"dns_qry_name": text} for text in HOSTILE])
    opened = day(settings, "dns")
    for rank in range(len(HOSTILE)):
        told = opened.explain(rank)
        for line in told.lines:
            assert line.isprintable(), line
        assert json.loads(json.dumps(told.as_json()))["rank"] == rank
