"""The deployment that takes logs, on a real server and a real worker."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.orchestration.local_server import worker
from tests.support.ingested import SAMPLES
from tests.support.site import Site

pytestmark = pytest.mark.server


def test_logs_are_taken_by_the_hour(server_only: Site, tmp_path: Path) -> None:
    raw, place = tmp_path / "raw", tmp_path / "cluster"
    (tmp_path / "zeek").mkdir()
    for sample in ("conn", "dns"):
        _, name, data, _ = SAMPLES[sample]
        (tmp_path / "zeek" / name).write_bytes(data)
    (tmp_path / "access.log").write_bytes(b"nonsense\n" * 3)
    environment = server_only.environment | {
        "SPOT_OA_RAW_URI": str(raw),
        "SPOT_OA_INGEST_URI": place.as_uri(),
        "SPOT_OA_INGEST__EDGE__SOURCE": "zeek",
        "SPOT_OA_INGEST__EDGE__PATHS": str(tmp_path / "zeek"),
        "SPOT_OA_INGEST__EDGE__SENSOR": "edge",
        "SPOT_OA_INGEST__OFFICE__SOURCE": "squid",
        "SPOT_OA_INGEST__OFFICE__PATHS": str(tmp_path / "access.log"),
    }
    api = server_only.api
    with server_only.log.open("a") as output, worker(environment, output):
        # One after the other: what the first has taken is known to the second.
        runs = [
            api.final(api.start("ingest/hourly", **asked))
            for asked in ({"names": ["edge"]}, {"names": ["edge"]}, {})
        ]
    good, again, _ = (run["id"] for run in runs)

    assert [run["state_type"] for run in runs] == ["COMPLETED", "COMPLETED", "FAILED"]
    assert runs[0]["name"].startswith("ingest 20")
    assert runs[0]["state"]["message"] == "1 inputs ingested"
    assert [task["name"] for task in api.task_runs(good)] == ["edge", "delivery"]
    assert any("edge: conn.log: 7 flow rows" in line for line in api.logs(good))
    assert any("edge: conn.log: known" in line for line in api.logs(again))
    (shown,) = api.artifacts(good).values()
    rows = {row["pipeline"]: row for row in json.loads(shown)}
    assert rows["flow"]["sensor"] == "zeek/edge"
    assert rows["flow"]["newest event"].startswith("2024-04-20")
    # A bad input is named, and does not stop the others.
    assert runs[2]["state"]["message"].startswith("1 failed: office: ")
    assert "no log of Squid" in runs[2]["state"]["message"]
    there = list(place.rglob("flow/y=*/**/*.parquet"))
    assert sum(pq.read_metadata(file).num_rows for file in there) == 7
    assert not list(raw.rglob("y=*/**/*.parquet"))
