"""Every row and every count of ingest, against plain Python that shares no code with it."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from spot_oa.ingest import Ingested
from tests.support.ingested import SAMPLES, differing, expected, landed, oracle, row_of, take
from tests.support.logs_oracle import Told

REFERENCE = {
    "zeek-json/NASHUA_conn.log": {},
    "zeek-json/NASHUA_dns.log": {},
    "zeek-json/SCRANTON_conn.log": {},
    "zeek-json/SCRANTON_dns.log": {},
    "zeek-json/SCRANTON_http.log": {},
    "zeek-tsv/conn.00:00:00-01:00:00.log.gz": {},
    "zeek-tsv/conn.log": {},
    "zeek-tsv/dns.log": {},
    "zeek-tsv/http.log": {},
    "suricata/eve.json": {},
    "squid/access.log": {},
    "squid/combined.log": {},
    "elf/proxysg.log": {},
    "nfdump/csv-1.7.1.csv": {"timezone": "UTC"},
    "nfdump/csv-fast-1.7.8.csv": {},
    "vpc.log": {},
}


def agree(home: Path, taken: Ingested, told: Told) -> None:
    assert taken.status == "taken", taken.error
    found, wanted = landed(home), expected(told)
    assert not differing(found, wanted)
    counts = (taken.lines, taken.refused, taken.blank, taken.comments, dict(taken.skipped))
    assert counts == (told.lines, told.refused, told.blank, told.comments, dict(told.skipped))


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples(sample: str, tmp_path: Path) -> None:
    source, name, data, zone = SAMPLES[sample]
    (tmp_path / name).write_bytes(data)
    (taken,) = take(tmp_path, source, tmp_path / name, timezone=zone)
    told = oracle(source, data, name, zone)
    assert told.rows
    agree(tmp_path, taken, told)


@pytest.mark.reference
@pytest.mark.parametrize("name", REFERENCE)
def test_reference_logs(name: str, tmp_path: Path, reference: Path) -> None:
    path = reference / "logs" / name
    expectation = json.loads((reference / "logs/expected.json").read_text())[name]
    source = expectation["source"]
    (taken,) = take(tmp_path, source, path, **REFERENCE[name])
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    agree(tmp_path, taken, oracle(source, data, path.name))

    rows = [
        (pipeline, dict(row)) for (pipeline, row), n in landed(tmp_path).items() for _ in range(n)
    ]
    for pipeline, wanted in expectation["pipelines"].items():
        if pipeline not in ("flow", "dns", "proxy"):
            continue
        mine = [row for which, row in rows if which == pipeline]
        assert len(mine) == wanted["rows"]
        for column in ("ipkt", "ibyt", "opkt", "obyt", "scbytes"):
            if column in wanted:
                assert sum(row[column] or 0 for row in mine) == wanted[column]
        for first in wanted.get("first", []):
            assert any(first.items() <= row.items() for row in mine), first
        if "rejected" in wanted:
            assert taken.refused == wanted["rejected"]
        if "skipped" in wanted and pipeline != "dns":
            assert taken.skipped.total() == wanted["skipped"]


@pytest.mark.reference
def test_tsv_and_json_of_zeek_are_twins(tmp_path: Path, reference: Path) -> None:
    for tsv, log in (("conn", "NASHUA_conn"), ("dns", "SCRANTON_dns"), ("http", "SCRANTON_http")):
        one, other = tmp_path / f"{tsv}1", tmp_path / f"{tsv}2"
        take(one, "zeek", reference / f"logs/zeek-tsv/{tsv}.log")
        take(other, "zeek", reference / f"logs/zeek-json/{log}.log")
        assert without_durations(one) == without_durations(other)


def without_durations(home: Path) -> Counter[Any]:
    """Zeek's TSV rounds them, and nothing else."""
    found: Counter[Any] = Counter()
    for (pipeline, row), count in landed(home).items():
        found[row_of(pipeline, {**dict(row), "tdur": None})] += count
    return found


def test_a_zone_moves_text_times_and_the_machine_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    path = tmp_path / "a.csv"
    utc = SAMPLES["nfdump-new"][2]
    path.write_bytes(utc)
    take(tmp_path / "utc", "nfdump", path, timezone="UTC")
    there = utc.replace(b"2024-03-10 00", b"2024-03-09 19")
    path.write_bytes(there)
    take(tmp_path / "there", "nfdump", path, timezone="America/New_York")
    assert landed(tmp_path / "utc") == landed(tmp_path / "there")


def test_a_repeated_hour_counts_as_its_first_and_is_counted(tmp_path: Path) -> None:
    source, name, data, zone = SAMPLES["nfdump"]
    (tmp_path / name).write_bytes(data)
    (taken,) = take(tmp_path, source, tmp_path / name, timezone=zone)
    assert taken.ambiguous == 2  # Start and end of one row.
    hours = set(taken.as_json()["hours"]["flow"])
    assert "2024-11-03 05" in hours


def test_text_times_without_a_zone_are_an_error(tmp_path: Path) -> None:
    source, name, data, _ = SAMPLES["nfdump"]
    (tmp_path / name).write_bytes(data)
    (taken,) = take(tmp_path, source, tmp_path / name)
    assert taken.status == "failed"
    assert "--timezone" in taken.error
    assert not landed(tmp_path)
