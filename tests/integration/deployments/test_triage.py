"""The deployment that makes triage anew, on a real server and a real worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.orchestration.local_server import worker
from flows.run.runner import run_day
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.settings import load_settings
from spot_oa.warehouse.published import read_rows
from tests.support.labelled import day
from tests.support.report import Told
from tests.support.site import Site

pytestmark = pytest.mark.server

FIRST, SECOND = DEMO_DATES


def test_days_with_new_labels_are_refreshed(server_only: Site, tmp_path: Path) -> None:
    generate(tmp_path, pipelines=("flow",), rows_per_day=300, suspicious=20)
    settings = load_settings(home=tmp_path)
    run_day(settings, "flow", FIRST, Told())
    day(settings, date=FIRST).label_ranks([0], 1, note="by hand")
    environment = server_only.environment | {
        "SPOT_OA_HOME": str(tmp_path),
        "SPOT_OA_ML_URI": settings.ml_uri,
    }
    api = server_only.api
    with server_only.log.open("a") as output, worker(environment, output):
        # One after the other: what the first has refreshed the second finds done.
        runs = [
            api.final(api.start("triage-refresh/daily", **asked))
            for asked in ({}, {}, {"dates": [str(SECOND)], "pipelines": ["flow"]})
        ]
    assert [run["state_type"] for run in runs] == ["COMPLETED", "COMPLETED", "FAILED"]
    assert [run["state"]["message"] for run in runs[:2]] == [
        "1 days refreshed",
        "0 days refreshed",
    ]
    assert f"flow {SECOND} is not published" in runs[2]["state"]["message"]
    steps = ["labels", "dbt build", "publish triage"]
    assert [task["name"] for task in api.task_runs(runs[0]["id"])] == steps
    rows = read_rows(settings.triage_dir / "flow" / f"{FIRST:%Y%m%d}" / "flow_triage.parquet")
    assert [row["severity"] for row in rows if row["note"] == "by hand"] == [1]
