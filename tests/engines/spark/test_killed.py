"""Runs and workers that are killed while they work on the cluster."""

from __future__ import annotations

import random
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from spot_oa.dates import Slice
from spot_oa.demo import DEMO_DATES, generate
from tests.support.disturbed import NEW, OLD, leftovers
from tests.support.published import Files, content
from tests.support.spark import HOST, Cluster
from tests.support.targets import DuckDB, Rows, differing
from tests.support.warm import Process, Warm

FIRST, SECOND = DEMO_DATES
AFTER = ("prepare", "land", "reputation", "dbt build")
"""Steps after whose end a run is killed: while it lands, enriches, builds and publishes."""
TABLES = ("flow_scores", "flow_edge", "flow_chords", "flow_ingest_summary", "flow_triage")


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what both dates are made of."""
    folder = tmp_path_factory.mktemp("days")
    generate(folder, pipelines=("flow",), rows_per_day=1000, suspicious=100)
    return folder


@pytest.fixture(scope="module")
def wanted(
    days: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, tuple[Files, dict[str, Rows]]]:
    """What DuckDB publishes of the first date, and what its tables hold, by limit."""
    home = tmp_path_factory.mktemp("duckdb") / "home"
    shutil.copytree(days, home)
    target = DuckDB()
    target.open(home)
    found = {}
    target.run(Slice("flow", SECOND), OLD)
    for limit in (OLD, NEW):
        files = content(target.run(Slice("flow", FIRST), limit).folder)
        found[limit] = (files, {table: target.read_table(table) for table in TABLES})
    return found


@pytest.fixture(scope="module")
def told(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "SPOT_OA_SCHEMA_PREFIX": "killed_"}


@pytest.fixture(scope="module")
def home(
    days: Path, tmp_path_factory: pytest.TempPathFactory, runs: Warm, told: dict[str, str]
) -> Path:
    """A home in which both dates have been run with the limit OLD, the second one first."""
    home = tmp_path_factory.mktemp("killed") / "home"
    shutil.copytree(days, home)
    for date in (SECOND, FIRST):
        code, _, errors = runs.run(home, *run(OLD, date), **told)
        assert code == 0, errors
    return home


def run(limit: int, date: object = FIRST) -> tuple[str, ...]:
    return ("run", "flow", "--date", str(date), "--limit", str(limit))


def published(home: Path) -> Files:
    return content(home / "data" / "flow" / f"{FIRST:%Y%m%d}")


def tables(cluster: Cluster) -> dict[str, Rows]:
    return {table: Rows(cluster.rows(f"select * from killed_oa.{table}")) for table in TABLES}


@pytest.mark.thorough
def test_a_run_that_is_killed_is_repeated_as_if_it_had_not_been(
    home: Path,
    runs: Warm,
    told: dict[str, str],
    cluster: Cluster,
    wanted: dict[int, tuple[Files, dict[str, Rows]]],
    seed: int,
) -> None:
    chance = random.Random(seed)
    stands, lasts = OLD, 2.0
    for number, part in enumerate(AFTER):
        limit = (NEW, OLD)[number % 2]
        killed = runs.start(home, *run(limit), **told)
        assert killed.until(f": {part}: "), killed.err.read_text("utf-8")
        moment = chance.uniform(0, 10.0 if part == "reputation" else lasts)
        time.sleep(moment)
        killed.send(signal.SIGKILL)
        what = f"{moment:.2f} s after {part}"
        if killed.wait() == 0:
            stands = limit
        assert published(home) in (wanted[stands][0], wanted[limit][0]), what
        code, _, errors = runs.run(home, *run(limit), **told)
        assert code == 0, f"{what}: {errors}"
        stands = limit
        files, rows = wanted[limit]
        assert published(home) == files, what
        assert list(differing(tables(cluster), rows)) == [], what
        assert leftovers(home, home / "data") == [], what
        staged = [name for _, name, _ in cluster.rows("show tables in killed_raw")]
        assert [name for name in staged if "__" in name] == [], what


def test_a_first_run_that_is_killed_is_repeated(
    days: Path,
    runs: Warm,
    environment: dict[str, str],
    cluster: Cluster,
    wanted: dict[int, tuple[Files, dict[str, Rows]]],
    tmp_path: Path,
) -> None:
    """In the build, which makes the tables."""
    shutil.copytree(days, tmp_path, dirs_exist_ok=True)
    told = {**environment, "SPOT_OA_SCHEMA_PREFIX": "first_"}
    killed = runs.start(tmp_path, *run(NEW), **told)
    assert killed.until(": reputation: "), killed.err.read_text("utf-8")
    made = 0
    while made < 3 and killed.out.read_text("utf-8").count(": dbt build: ") == 0:
        time.sleep(0.5)
        there = {row[0] for row in cluster.rows("show databases")}
        made = len(cluster.rows("show tables in first_oa")) if "first_oa" in there else 0
    killed.send(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "data" / "flow").exists()
    code, _, errors = runs.run(tmp_path, *run(NEW), **told)
    assert code == 0, errors
    assert published(tmp_path) == wanted[NEW][0]


@pytest.mark.thorough
def test_a_worker_that_dies_in_the_build_changes_nothing(
    home: Path,
    runs: Warm,
    told: dict[str, str],
    cluster: Cluster,
    wanted: dict[int, tuple[Files, dict[str, Rows]]],
) -> None:
    going: Process = runs.start(home, *run(NEW), **told)
    assert going.until(": reputation: "), going.err.read_text("utf-8")
    time.sleep(2)
    assert ": dbt build: " not in going.out.read_text("utf-8")
    cluster.kill_worker()
    try:
        assert going.wait() == 0, going.err.read_text("utf-8")
        assert published(home) == wanted[NEW][0]
    finally:
        cluster.add_worker()


@pytest.mark.thorough
def test_a_server_that_dies_is_one_line_and_the_next_run_heals(
    days: Path,
    runs: Warm,
    wanted: dict[int, tuple[Files, dict[str, Rows]]],
    tmp_path: Path,
) -> None:
    """While a run lands, and while it builds."""
    shutil.copytree(days, tmp_path / "home")
    with Cluster(tmp_path / "cluster", local=True, lasting=True) as server:
        told = {
            "SPOT_OA_TARGET": "spark",
            "SPOT_OA_SPARK_HOST": HOST,
            "SPOT_OA_SPARK_PORT": str(server.port),
        }
        code, _, errors = runs.run(tmp_path / "home", *run(OLD), **told)
        assert code == 0, errors
        for part, limit, stands in (("prepare", NEW, OLD), ("reputation", NEW, OLD)):
            going = runs.start(tmp_path / "home", *run(limit), **told)
            assert going.until(f": {part}: "), going.err.read_text("utf-8")
            time.sleep(1)
            server.kill_server()
            assert going.wait() == 1, part
            lines = going.err.read_text("utf-8").splitlines()
            assert len(lines) == 1, lines
            # The third if it dies while somebody logs in.
            whys = "lost|cannot be reached|rejected the connection"
            assert re.search(rf"Spark at {HOST}:{server.port}.*({whys})", lines[0])
            assert "Runtime Error" not in lines[0]
            assert published(tmp_path / "home") == wanted[stands][0], part
            server.start_server()
        code, _, errors = runs.run(tmp_path / "home", *run(NEW), **told)
        assert code == 0, errors
        assert published(tmp_path / "home") == wanted[NEW][0]
        rows = {table: Rows(server.rows(f"select * from oa.{table}")) for table in TABLES}
        first = {
            table: Rows(
                {row: n for row, n in wanted[NEW][1][table].items() if row[-1] == FIRST.day}
            )
            for table in TABLES
        }
        assert list(differing(rows, first)) == []
