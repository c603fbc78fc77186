"""Every run leaves one row in oa.run_audit, however it ends."""

from __future__ import annotations

import datetime as dt
import getpass
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from flows.run.audit import history
from flows.run.runner import run_day
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.errors import LandingError, WarehouseError
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import open_warehouse
from spot_oa.warehouse.duckdb.warehouse import DuckDBWarehouse
from spot_oa.warehouse.tables import RUN_AUDIT
from tests.support.audit import audit
from tests.support.impala import StandIn
from tests.support.impala.telemetry import create_telemetry
from tests.support.report import Told

FIRST, _ = DEMO_DATES
SCRIPT = Path(sys.executable).with_name("spot-oa")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the first date has been run."""
    home = tmp_path_factory.mktemp("audit") / "home"
    generate(home, pipelines=("flow",), rows_per_day=1000, suspicious=40)
    run_day(load_settings(home=home), "flow", FIRST, Told())
    return home


@pytest.fixture
def home(ran: Path, tmp_path: Path) -> Settings:
    copy = tmp_path / "home"
    shutil.copytree(ran, copy)
    return load_settings(home=copy)


def pending(settings: Settings) -> Path:
    return settings.home / "warehouse.duckdb.audit"


def fail(settings: Settings) -> list[str]:
    """A run without results, and what it noted."""
    told = Told()
    with pytest.raises(LandingError):
        run_day(settings, "flow", dt.date(2001, 1, 1), told)
    return told.notes


def test_a_run_that_is_done_tells_what_its_manifest_tells(home: Settings) -> None:
    (row,) = audit(home.warehouse)
    manifest = json.loads((home.data_dir / "flow/20160708/manifest.json").read_text("utf-8"))
    same = {
        "run_id": manifest["run_id"],
        "fingerprint": manifest["fingerprint"],
        "results_limit": manifest["limit"],
        "rows_landed": manifest["input"]["rows"],
        "lines_rejected": manifest["input"]["rejected"],
        "bad_values": sum(manifest["input"]["bad_values"].values()),
        "warnings": len(manifest["warnings"]),
    }
    assert {name: row[name] for name in same} == same
    published = {name: table["rows"] for name, table in manifest["tables"].items()}
    assert json.loads(row["published_rows"]) == published
    assert json.loads(row["warning_texts"]) == manifest["warnings"]
    assert json.loads(row["versions"]) == manifest["versions"]
    sources = json.loads(row["enrichment"])
    assert {f"{s['step']}: {s['source']}" for s in manifest["sources"]} == sources.keys()
    assert all(source.keys() == {"status", "asked", "found"} for source in sources.values())
    given = {
        "status": "done",
        "reason": None,
        "failed_step": None,
        "user_name": getpass.getuser(),
        "host": platform.node(),
        "started_from": "cli",
        "flow_run_id": None,
        "target": "duckdb",
        "tests_warned": 0,
        "pipeline": "flow",
        "y": 2016,
        "m": 7,
        "d": 8,
    }
    assert {name: row[name] for name in given} == given
    steps = json.loads(row["step_seconds"])
    assert {"prepare", "land", "geo", "dbt build", "publish"} <= steps.keys()
    assert row["started_at"] < row["finished_at"]
    assert steps["dbt build"] < row["seconds"]
    assert row["tests_passed"] > 0
    assert not pending(home).exists()


def test_an_unchanged_run_and_a_failed_one_leave_a_row_too(home: Settings) -> None:
    first = run_day(home, "flow", FIRST, Told())
    run_day(home, "flow", FIRST, Told(), skip_unchanged=True)
    fail(home)
    *_, unchanged, failed = audit(home.warehouse)
    assert (unchanged["status"], unchanged["rows_landed"]) == ("unchanged", None)
    assert json.loads(unchanged["published_rows"]) == first.tables
    assert (failed["status"], failed["failed_step"]) == ("failed", "land")
    assert failed["reason"].startswith("flow 2001-01-01: ML results ")
    assert (failed["y"], failed["rows_landed"], failed["published_rows"]) == (2001, None, "{}")
    assert len({row["run_id"] for row in audit(home.warehouse)}) == 4


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGKILL, "died"), (signal.SIGTERM, "interrupted")]
)
def test_who_was_killed_is_named_by_the_next_run(
    home: Settings, number: signal.Signals, status: str
) -> None:
    with subprocess.Popen(
        [SCRIPT, "run", "flow", "--date", str(FIRST)],
        env=os.environ | {"SPOT_OA_HOME": str(home.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as killed:
        assert killed.stdout is not None
        while not pending(home).exists() or '"failed_step": null' in pending(home).read_text():
            assert killed.poll() is None
            time.sleep(0.005)
        killed.send_signal(number)
        killed.communicate(timeout=60)
    assert len(audit(home.warehouse)) == (1 if status == "died" else 2)
    shown = subprocess.run(
        [SCRIPT, "history", "flow", "--last", "1"],
        check=True,
        env=os.environ | {"SPOT_OA_HOME": str(home.home)},
        capture_output=True,
        text=True,
    ).stdout
    assert re.search(rf"  flow 2016-07-08 +{status} .*@.*, cli\n    in .+: {status}\n", shown)
    fail(home)
    _, ended, after = audit(home.warehouse)
    assert (ended["status"], after["status"]) == (status, "failed")
    assert ended["failed_step"] is not None
    assert (ended["finished_at"] is None) == (status == "died")
    assert not pending(home).exists()


def test_a_row_that_cannot_be_written_is_a_warning_and_comes_with_the_next_run(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for the audit alone: every other write is the real one."""
    add = DuckDBWarehouse.add

    def full(*_: object) -> None:
        raise WarehouseError("disk full")

    monkeypatch.setattr(DuckDBWarehouse, "add", full)
    summary = run_day(home, "flow", FIRST, Told())
    assert summary.warnings[-1] == "the run is not in oa.run_audit yet: disk full"
    assert fail(home) == ["warning: the run is not in oa.run_audit yet: disk full"]
    assert len(audit(home.warehouse)) == 1
    told = history(home, 2, "flow", print)
    assert [row["status"] for row in told] == ["failed", "done"]
    assert told[1]["run_id"] == summary.run_id
    with pending(home).open("a") as file:
        file.write('{"run_id": "cut sho\n[]\n')
    monkeypatch.setattr(DuckDBWarehouse, "add", add)
    fail(home)
    assert [row["status"] for row in audit(home.warehouse)] == ["done", "done", "failed", "failed"]


def test_adding_is_all_or_nothing_and_clears_nothing(settings: Settings) -> None:
    warehouse = open_warehouse(settings)
    warehouse.prepare([RUN_AUDIT])
    warehouse.add(RUN_AUDIT, pa.table({"run_id": ["a"], "y": pa.array([2016], pa.int32())}))
    warehouse.add(RUN_AUDIT, pa.table({"run_id": ["b", "a"]}))
    with pytest.raises(WarehouseError):
        warehouse.add(RUN_AUDIT, pa.table({"run_id": ["c", "d"], "y": ["2016", "no number"]}))
    assert [(row["run_id"], row["y"]) for row in audit(settings.warehouse)] == [
        ("a", 2016),
        ("b", None),
        ("a", None),
    ]


def test_impala_adds_and_reads_the_same_rows(tmp_path: Path) -> None:
    with StandIn() as server:
        settings = load_settings(
            home=tmp_path,
            target="impala",
            impala_host="127.0.0.1",
            impala_port=server.port,
            schema_prefix="spot_",
        )
        create_telemetry(server.engine, settings)
        with pytest.raises(LandingError):  # After `prepare`, before dbt.
            run_day(settings, "flow", FIRST, Told())
        (row,) = history(settings, 5, "flow", print)
        assert row.keys() == RUN_AUDIT.columns.keys()
        assert (row["status"], row["failed_step"], row["target"]) == ("failed", "land", "impala")
        assert "impyla" in json.loads(row["versions"])
        assert (row["rows_landed"], row["results_limit"], row["d"]) == (None, 500, 8)
        assert row["started_at"] < row["finished_at"]
        added = pa.Table.from_pylist(
            [{**row, "run_id": "a';\\", "pipeline": "dns"}, {**row, "started_at": None}],
            RUN_AUDIT.arrow_schema,
        )
        open_warehouse(settings).add(RUN_AUDIT, added)
        assert [r["run_id"] for r in history(settings, 5, "dns", print)] == ["a';\\"]
