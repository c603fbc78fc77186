"""`spot-oa score` that is killed at any step, and hostile text that it is handed."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import duckdb
import pytest

from spot_oa.demo import DEMO_DATES, generate
from tests.support.warm import Warm

FIRST, SECOND = DEMO_DATES
OLD, NEW = 20, 40
STEPS = (
    "int_score_flow__parts",
    "int_score_flow__seen",
    "score_flow_seen",
    "score_flow_profile",
    "int_score_flow__events",
    "score_flow_rows",
    "score_flow_rows_not_null",
)
"""Nodes of dbt after whose end a run is killed; after the last one it writes its files."""
TABLES = ("seen", "profile")


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, runs: Warm) -> Path:
    """A home in which both dates are scored."""
    home = tmp_path_factory.mktemp("scored") / "home"
    generate(home, pipelines=("flow",), rows_per_day=800)
    code, _, errors = score(runs, home, OLD, "--from", str(FIRST))
    assert code == 0, errors
    return home


def score(runs: Warm, home: Path, limit: int, *more: str) -> tuple[int, str, str]:
    return runs.run(home, *command(limit), *more)


def command(limit: int) -> list[str]:
    return ["score", "flow", "--date", str(SECOND), "--limit", str(limit)]


def files(home: Path) -> dict[str, bytes]:
    """Results and reasons of all dates, and whatever else may lie beside them."""
    return {str(file.relative_to(home)): file.read_bytes() for file in (home / "ml").rglob("*.*")}


def state(home: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        return {
            table: connection.execute(
                f"select * from oa_scoring.score_flow_{table} order by all"
            ).fetchall()
            for table in TABLES
        }


@pytest.mark.long
@pytest.mark.timeout(900)
def test_wherever_scoring_is_killed_results_reasons_and_state_are_whole(
    scored: Path, tmp_path: Path, runs: Warm
) -> None:
    changed, undisturbed = tmp_path / "changed", tmp_path / "undisturbed"
    shutil.copytree(scored, changed)
    halve(changed)
    shutil.copytree(changed, undisturbed)
    assert score(runs, undisturbed, NEW)[0] == 0
    old, new = files(changed), files(undisturbed)
    states = state(changed), state(undisturbed)
    assert old.keys() == new.keys()
    assert all(states[0][table] != states[1][table] for table in TABLES)
    home, half = tmp_path / "home", tmp_path / "half"
    log = home / "dbt" / "logs" / "dbt.log"
    seen: set[tuple[bool, ...]] = set()
    for number, step in enumerate(STEPS * 2):
        # Each run finds the old state and the changed telemetry.
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(changed, home)
        log.unlink(missing_ok=True)
        run = runs.start(home, *command(NEW))
        ended(log, step, run.out)
        # At once, and a little later: between the nodes, and while files are written.
        time.sleep(0 if number < len(STEPS) else 0.03)
        run.send(signal.SIGKILL)
        run.wait()
        found = files(home)
        # A file that was not renamed in yet may lie beside them.
        assert found.keys() >= old.keys(), step
        assert all(found[name] in (old[name], new[name]) for name in old), step
        left = state(home)
        assert all(left[table] in [each[table] for each in states] for table in TABLES), step
        seen.add(tuple(left[table] == states[1][table] for table in TABLES))
        if step == "score_flow_seen" and not half.exists():
            shutil.copytree(home, half)
    # Before both tables were replaced, and after.
    assert seen >= {(False, False), (True, True)}
    for killed in (half, home):
        assert score(runs, killed, NEW)[0] == 0
        assert files(killed) == new
        assert state(killed) == states[1]


def halve(home: Path) -> None:
    """Leave half the telemetry of the second date."""
    for file in home.glob("raw/flow/y=2016/m=7/d=9/h=1*/*.parquet"):
        file.unlink()


def ended(log: Path, step: str, out: Path) -> None:
    """Wait until dbt says that a node has ended."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
        if any((" OK " in line or " PASS " in line) and f"{step} " in line for line in lines):
            return
        time.sleep(0.005)
    raise AssertionError(f"{step} did not end: {out.read_text('utf-8')}")


def test_hostile_text_stays_in_its_field(tmp_path: Path, runs: Warm) -> None:
    """Tabs, line ends, quotes, escapes and SQL in hosts, agents and URIs: the day lands whole."""
    home = tmp_path / "home"
    generate(home, dates=[FIRST], pipelines=("proxy",), rows_per_day=400)
    said = "a\tb\nc\r\x1b[31m\"'; drop table raw.proxy; --<script>{{ 1 }}\\"
    for file in home.glob("raw/proxy/y=2016/m=07/d=08/h=1*/*.parquet"):
        rows = file.with_suffix(".new")
        with duckdb.connect() as connection:
            connection.execute(
                "create table rows as select * replace (? as useragent, concat(?, row_number() "
                "over ()) as fulluri, concat('x', ?, '.example') as host) "
                f"from read_parquet('{file}', hive_partitioning = false)",
                [said, said, said],
            )
            connection.execute(f"copy rows to '{rows}' (format parquet)")
        rows.replace(file)
    code, out, errors = runs.run(
        home, "run", "proxy", "--date", str(FIRST), "--limit", "400", SPOT_OA_SCORER="builtin"
    )
    assert (code, errors) == (0, "")
    assert "\x1b" not in out
    results = next((home / "ml").rglob("proxy_results.csv")).read_bytes().decode()
    lines = results.split("\n")[:-1]
    assert {line.count("\t") for line in lines} == {20}
    assert any("drop table" in line for line in lines)
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from raw.results_rejects").fetchone() == (0,)
        landed = connection.execute("select count(*) from raw.proxy_results").fetchone()
        assert landed == (len(lines),)
        told = connection.execute("select reason from oa.proxy_reasons").fetchall()
    assert not any("\x1b" in reason or "\n" in reason for (reason,) in told)
