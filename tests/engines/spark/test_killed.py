"""Runs and workers that are killed while they work on the cluster."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from spot_oa.dates import Slice
from spot_oa.demo import DEMO_DATES, generate
from tests.support.disturbed import NEW, OLD, leftovers
from tests.support.published import Files, content
from tests.support.spark import Cluster
from tests.support.targets import DuckDB, Rows, differing
from tests.support.warm import Process, Warm

FIRST, SECOND = DEMO_DATES
AFTER = ("prepare", "land", "reputation", "dbt build")
"""Steps after whose end a run is killed: while it lands, enriches, builds and publishes."""
TABLES = ("flow_scores", "flow_edge", "flow_chords", "flow_ingest_summary", "flow_triage")


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Files, dict[str, Rows]]]:
    """What DuckDB publishes of the first date, and what its tables hold, by limit."""
    home = tmp_path_factory.mktemp("duckdb")
    generate(home, pipelines=("flow",), rows_per_day=1000, suspicious=100)
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
def home(tmp_path_factory: pytest.TempPathFactory, runs: Warm, told: dict[str, str]) -> Path:
    """A home in which both dates have been run with the limit OLD, the second one first."""
    home = tmp_path_factory.mktemp("killed") / "home"
    generate(home, pipelines=("flow",), rows_per_day=1000, suspicious=100)
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
    home: Path,
    runs: Warm,
    environment: dict[str, str],
    cluster: Cluster,
    wanted: dict[int, tuple[Files, dict[str, Rows]]],
    tmp_path: Path,
) -> None:
    """In the build, which makes the tables."""
    for part in ("raw", "ml", "context"):
        shutil.copytree(home / part, tmp_path / part)
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
