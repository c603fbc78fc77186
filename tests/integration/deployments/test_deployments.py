"""Deployments on a real server and a real worker."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pytest

from flows.orchestration.local_server import prefect
from spot_oa.demo import DEMO_DATES
from spot_oa.errors import ConfigError
from tests.support.audit import audit
from tests.support.prefect_api import until
from tests.support.published import digests
from tests.support.site import Site

pytestmark = pytest.mark.server

FIRST, SECOND = DEMO_DATES
STEPS = [
    *("prepare", "land", "geo", "network_context", "reputation", "labels"),
    *("dbt build", "publish", "publish triage"),
]


def day(site: Site, pipeline: str = "flow", date: dt.date = FIRST) -> Path:
    return site.settings.data_dir / pipeline / date.strftime("%Y%m%d")


def manifest(site: Site, pipeline: str, date: dt.date) -> dict[str, object]:
    return dict(json.loads((day(site, pipeline, date) / "manifest.json").read_text("utf-8")))


@pytest.mark.parametrize("spelling", ["2016-07-08", "20160708"])
def test_an_operator_runs_a_date(site: Site, spelling: str) -> None:
    printed = prefect(
        site.environment, "deployment", "run", "flow-oa/daily", "-p", f"date={spelling}", "--watch"
    )
    flow_run = re.findall(r"UUID: (\S+)", printed)[0]
    run = site.api.run(flow_run)
    assert (run["state_type"], run["name"]) == ("COMPLETED", "flow 2016-07-08")
    assert re.fullmatch(r"flow 2016-07-08: \d+ results, \d+ warnings", run["state"]["message"])
    assert sorted(task["name"] for task in site.api.task_runs(flow_run)) == sorted(STEPS)
    logs = site.api.logs(flow_run)
    assert any("flow 2016-07-08: model flow_edge: success" in line for line in logs)
    assert any(line.startswith("flow 2016-07-08: land: ") for line in logs)
    artifacts = site.api.artifacts(flow_run)
    summary = artifacts["flow-2016-07-08-summary"]
    assert "flow_scores" in summary
    assert (day(site) / "flow_scores.parquet").as_uri() in summary
    assert "1 lines rejected" in summary
    assert re.search(r"\| iploc \| geo \| ok \| \d+ \| \d+ \|", summary)
    nodes = json.loads(artifacts["flow-2016-07-08-dbt"])
    assert {"model flow_edge", "model flow_chords"} <= {node["node"] for node in nodes}
    row = audit(site.settings.warehouse)[-1]
    assert (row["started_from"], row["flow_run_id"]) == ("prefect", flow_run)


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        ("date=nonsense", "'nonsense' does not match"),
        ("date=2016-13-01", "'2016-13-01' does not match"),
        ("date=2016-7-8", "'2016-7-8' does not match"),
        ("limit=-1", "-1 is less than the minimum of 0"),
        ("limit=many", "'many' is not"),
        ("force_enrich=3", "3 is not of type 'boolean'"),
        ("surplus=1", "surplus"),
    ],
)
def test_a_bad_parameter_is_refused_at_the_command(
    server_only: Site, parameter: str, reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        prefect(server_only.environment, "deployment", "run", "flow-oa/daily", "-p", parameter)
    assert reason in str(caught.value)


def test_a_day_that_the_calendar_lacks_is_refused_before_anything_runs(site: Site) -> None:
    run = site.api.final(site.api.start("flow-oa/daily", date="2016-02-30"))
    assert run["state_type"] == "FAILED"
    assert "'2016-02-30' is not a valid date" in run["state"]["message"]
    assert site.api.task_runs(run["id"]) == []


def test_left_out_the_date_is_the_day_before_and_a_terminal_error_is_the_message(
    site: Site,
) -> None:
    run = site.api.final(site.api.start("flow-oa/daily"))
    scheduled = dt.datetime.fromisoformat(run["expected_start_time"])
    yesterday = (scheduled.astimezone(dt.UTC) - dt.timedelta(days=1)).date()
    assert run["name"] == f"flow {yesterday}"
    assert run["state_type"] == "FAILED"
    assert re.fullmatch(
        rf"flow {yesterday}: ML results \S+: no such file; .*", run["state"]["message"]
    )
    land = next(task for task in site.api.task_runs(run["id"]) if task["name"] == "land")
    assert (land["state_type"], land["run_count"]) == ("FAILED", 1)


def test_a_transient_error_is_retried_on_its_step(site: Site) -> None:
    site.results.broken = (503, "")
    try:
        flow_run = site.api.start("flow-oa/daily", date="2016-07-08")

        def waiting() -> bool | None:
            states = {t["name"]: t["state_name"] for t in site.api.task_runs(flow_run)}
            return True if states.get("land") in {"AwaitingRetry", "Retrying"} else None

        until(waiting, 60, pause=0.05)
    finally:
        site.results.broken = None
    run = site.api.final(flow_run)
    assert run["state_type"] == "COMPLETED"
    counts = {task["name"]: task["run_count"] for task in site.api.task_runs(flow_run)}
    assert counts.pop("land") > 1
    assert set(counts.values()) == {1}
    row = audit(site.settings.warehouse)[-1]
    assert (row["flow_run_id"], row["status"], row["failed_step"]) == (flow_run, "done", None)


def test_runs_at_the_same_time_all_complete(site: Site) -> None:
    before = digests(day(site))
    runs = [
        site.api.start(f"{pipeline}-oa/daily", date=FIRST.isoformat())
        for pipeline in ("flow", "proxy", "dns", "flow")
    ]
    finals = [site.api.final(run, 240) for run in runs]
    assert [run["state_type"] for run in finals] == ["COMPLETED"] * len(runs)
    for pipeline in ("flow", "proxy", "dns"):
        assert manifest(site, pipeline, FIRST)["date"] == FIRST.isoformat()
    after = digests(day(site))
    assert before in ({}, after)


def test_a_backfill_reports_the_bad_day_and_goes_on_where_it_was(site: Site) -> None:
    last = SECOND + dt.timedelta(days=1)
    parameters = {"date_from": str(FIRST), "date_to": str(last), "pipelines": ["flow", "dns"]}
    run = site.api.final(site.api.start("oa-backfill/daily", **parameters), 240)
    assert run["state_type"] == "FAILED"
    assert run["state"]["message"].startswith(f"2 of 6 runs failed: flow {last}: flow {last}: ML")
    done = {date: manifest(site, "dns", date)["run_id"] for date in DEMO_DATES}
    again = site.api.final(site.api.start("oa-backfill/daily", **parameters), 240)
    assert again["state_type"] == "FAILED"
    assert {date: manifest(site, "dns", date)["run_id"] for date in DEMO_DATES} == done
    forced = site.api.start(
        "oa-backfill/daily", date_from=str(FIRST), date_to=str(FIRST), pipelines=["dns"], force=True
    )
    assert site.api.final(forced)["state_type"] == "COMPLETED"
    assert manifest(site, "dns", FIRST)["run_id"] != done[FIRST]
    assert manifest(site, "dns", SECOND)["run_id"] == done[SECOND]


def test_schedules_are_there_and_off(server_only: Site) -> None:
    for pipeline in ("flow", "proxy", "dns"):
        found = server_only.api.get(f"deployments/name/{pipeline}-oa/daily")
        (schedule,) = found["schedules"]
        assert (schedule["active"], schedule["schedule"]["cron"]) == (False, "0 2 * * *")
        assert schedule["schedule"]["timezone"] == "UTC"
        assert found["global_concurrency_limit"]["limit"] == 1
        assert pipeline in found["tags"]
        assert "date: 2016-07-08" in found["description"]
