"""The worker and its runs die at once, in the middle of each step."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from flows.orchestration.local_server import worker
from flows.run.runner import run_day
from spot_oa.dates import Slice
from spot_oa.demo import DEMO_DATES
from spot_oa.publish import published_folder
from spot_oa.settings import Settings
from spot_oa.warehouse.published import read_rows
from tests.support.audit import audit
from tests.support.prefect_api import until
from tests.support.published import digests
from tests.support.report import Told
from tests.support.site import Site

pytestmark = pytest.mark.server

FIRST, _ = DEMO_DATES
OLD_LIMIT, NEW_LIMIT = 20, 90


@dataclass(frozen=True)
class Blow:
    """Where to strike: a deployment, so that each has a concurrency slot of its own."""

    step: str
    pipeline: str
    deployment: str

    @property
    def parameters(self) -> dict[str, object]:
        if self.deployment.startswith("oa-backfill"):
            days = {"date_from": str(FIRST), "date_to": str(FIRST)}
            return {**days, "pipelines": [self.pipeline], "force": True, "limit": NEW_LIMIT}
        return {"date": str(FIRST), "limit": NEW_LIMIT}


BLOWS = [
    Blow("land", "flow", "flow-oa/daily"),
    Blow("reputation", "proxy", "proxy-oa/daily"),
    Blow("dbt build", "dns", "dns-oa/daily"),
    Blow("publish", "flow", "oa-backfill/daily"),
]


@pytest.fixture(scope="module")
def struck() -> dict[str, str]:
    """Flow runs that were killed, by step."""
    return {}


@pytest.mark.parametrize("blow", BLOWS, ids=lambda blow: blow.step)
def test_a_killed_worker_leaves_the_old_day_and_a_new_run_gives_the_undisturbed_one(
    server_only: Site, blow: Blow, struck: dict[str, str], tmp_path: Path
) -> None:
    settings = server_only.settings
    alone = apart(settings, tmp_path)
    undisturbed = run(alone, blow.pipeline, NEW_LIMIT)
    old = run(settings, blow.pipeline, OLD_LIMIT)
    assert old != undisturbed

    struck[blow.step] = kill_in(server_only, blow)

    assert published(settings, blow.pipeline) == old
    lock = FileLock(settings.warehouse.with_name(settings.warehouse.name + ".lock"))
    with lock.acquire(timeout=1):
        pass
    again = run(settings, blow.pipeline, NEW_LIMIT)
    for file in again:
        # Rows tell more than digests.
        ours, theirs = (rows_of(each, blow.pipeline, file) for each in (settings, alone))
        assert again[file] == undisturbed[file] or ours == theirs, file
    assert again == undisturbed
    *_, died, done = audit(settings.warehouse)
    assert (died["status"], done["status"]) == ("died", "done")
    assert blow.step in died["failed_step"]
    if blow.deployment == f"{blow.pipeline}-oa/daily":
        assert died["flow_run_id"] == struck[blow.step]
    folder = published_folder(settings.data_dir, _part(blow.pipeline)).parent
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_killed_runs_are_marked_as_crashed_and_their_slots_are_free(
    server_only: Site, struck: dict[str, str]
) -> None:
    if not struck:
        pytest.skip("no run was killed")
    with server_only.log.open("a") as output, worker(server_only.environment, output):
        for flow_run in struck.values():
            run = server_only.api.final(flow_run, 180)
            assert run["state_type"] == "CRASHED"
            assert "no heartbeat" in run["state"]["message"]
        again = server_only.api.start("flow-oa/daily", date=str(FIRST))
        assert server_only.api.final(again, 120)["state_type"] == "COMPLETED"


def kill_in(site: Site, blow: Blow) -> str:
    """Kill a worker and all it started within the step; the flow run's id."""
    log = site.log.with_name(f"{blow.step.replace(' ', '-')}.log")
    part = f"{blow.pipeline} {FIRST}"
    with log.open("w") as output, worker(site.environment, output) as process:
        if blow.step == "land":
            site.results.hold()
        flow_run = site.api.start(blow.deployment, **blow.parameters)
        reached = in_step(site.settings, log, part, blow)
        try:
            until(lambda: True if f"{part}: prepare begins" in log.read_text() else None, 60)
            until(lambda: True if reached() else None, 60, pause=0.001)
            for pid in [process.pid, *descendants(process.pid)]:
                _kill(pid)
        finally:
            site.results.release()
        process.wait()
    time.sleep(0.3)
    assert f"{part}: {blow.step}: " not in log.read_text(), "the step was over before the blow"
    return flow_run


def in_step(settings: Settings, log: Path, part: str, blow: Blow) -> Callable[[], bool]:
    if blow.step == "publish":
        stage = published_folder(settings.data_dir, _part(blow.pipeline))
        stage = stage.with_name(f".{stage.name}.new")
        return stage.exists
    if blow.step == "dbt build":
        return lambda: f"{part}: model" in log.read_text()
    return lambda: f"{part}: {blow.step} begins" in log.read_text()


def run(settings: Settings, pipeline: str, limit: int) -> dict[str, str]:
    run_day(settings, pipeline, FIRST, Told(), limit=limit)
    return published(settings, pipeline)


def published(settings: Settings, pipeline: str) -> dict[str, str]:
    return digests(published_folder(settings.data_dir, _part(pipeline)))


def rows_of(settings: Settings, pipeline: str, file: str) -> list[dict[str, object]]:
    return read_rows(published_folder(settings.data_dir, _part(pipeline)) / file)


def apart(settings: Settings, home: Path) -> Settings:
    """The same inputs, another warehouse and other published files."""
    return settings.model_copy(
        update={"home": home, "data_dir": home / "data", "warehouse": home / "warehouse.duckdb"}
    )


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = list(children.get(pid, []))
    for child in found:
        found.extend(children.get(child, []))
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _part(pipeline: str) -> Slice:
    return Slice(pipeline, FIRST)
