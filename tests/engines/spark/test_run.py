"""`spot-oa` on Spark as an operator runs it: settings from the environment, one command."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from flows.run.dbt_runner import build
from flows.run.tables import python_tables
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.errors import BuildError
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import open_warehouse
from tests.support.dbt import statuses, with_a_wrong_unit_test
from tests.support.published import content
from tests.support.spark import HOST, Cluster
from tests.support.targets import DuckDB
from tests.support.warm import Warm

FIRST, SECOND = DEMO_DATES
PIPELINES = load_pipelines()
DATE = ("--vars", f"{{date: {FIRST}}}")
SCAN = re.compile(
    r"FileScan parquet spark_catalog\.empty_raw\.(?:flow|proxy|dns)\[.*?"
    r"Location: InMemoryFileIndex\((\d+) paths?\)"
)
"""A scan of telemetry in a plan; how many partitions it reads."""


@pytest.mark.thorough
def test_two_first_runs_at_once(
    runs: Warm, environment: dict[str, str], tmp_path: Path, cluster: Cluster
) -> None:
    """Two machines, two dates, one cluster: both make the tables, neither takes rows away."""
    homes = [tmp_path / "one", tmp_path / "two"]
    generate(homes[0], pipelines=("dns",), rows_per_day=500, suspicious=30)
    for home in (homes[1], tmp_path / "duckdb"):
        for part in ("raw", "ml", "context"):
            shutil.copytree(homes[0] / part, home / part)
    told = {
        **environment,
        "SPOT_OA_SCHEMA_PREFIX": "both_",
        "SPOT_OA_RAW_URI": str(homes[0] / "raw"),
    }
    started = [
        runs.start(home, "run", "dns", "--date", str(date), **told)
        for home, date in zip(homes, DEMO_DATES, strict=True)
    ]
    for run in started:
        assert run.wait() == 0, run.err.read_text("utf-8")
    # Spark replaces a view by dropping it first: the other run would not find it for an instant.
    ran = homes[0] / "dbt" / "target" / "run" / "spot_oa" / "models"
    views = list((ran / "staging").glob("*/*.sql"))
    assert views
    for view in views:
        statement = view.read_text("utf-8").split()
        assert statement[:2] in (["create", "view"], ["alter", "view"]), view
        assert statement[0] == "alter" or statement[2:5] == ["if", "not", "exists"], view
    reference = DuckDB()
    reference.open(tmp_path / "duckdb")
    for home, date in zip(homes, DEMO_DATES, strict=True):
        code, _, errors = runs.run(tmp_path / "duckdb", "run", "dns", "--date", str(date))
        assert code == 0, errors
        day = Path("data", "dns", f"{date:%Y%m%d}")
        assert content(home / day) == content(tmp_path / "duckdb" / day)
    for table in ("dns_scores", "dns_edge", "dns_dendro", "dns_ingest_summary"):
        rows = cluster.rows(f"select * from both_oa.{table}")
        assert rows
        assert dict(reference.read_table(table)) == {row: rows.count(row) for row in rows}
    code, looked, _ = runs.run(homes[0], "doctor", **told)
    assert "warehouse on spark\n" in looked
    assert "telemetry of dns in both_raw.dns: newest 2016-07-09" in looked
    ((status, target),) = set(cluster.rows("select status, target from both_oa.run_audit"))
    assert (status, target) == ("done", "spark")


def test_a_server_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, target="spark", spark_host=HOST, spark_port=1)
    with pytest.raises(
        BuildError, match=r"^dbt build failed: Spark at .* cannot be reached"
    ) as raised:
        build(settings, "flow", [FIRST], print)
    assert raised.value.transient


@pytest.fixture(scope="module")
def empty(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home whose tables are all there, without rows, over a day of telemetry."""
    home = tmp_path_factory.mktemp("empty")
    settings = load_settings(
        home=home,
        target="spark",
        spark_host=HOST,
        spark_port=cluster.port,
        schema_prefix="empty_",
        project_dir=with_a_wrong_unit_test(home / "project"),
    )
    generate(home, pipelines=tuple(PIPELINES), rows_per_day=20, suspicious=2)
    warehouse = open_warehouse(settings)
    warehouse.prepare(python_tables(PIPELINES))
    for pipeline in PIPELINES.values():
        warehouse.expose_telemetry(pipeline, DEMO_DATES)
    made = {**statuses(settings, "seed"), **statuses(settings, "run", "--empty", *DATE)}
    assert set(made.values()) == {"success"}
    return settings


def test_unit_tests_pass_and_a_wrong_one_fails(empty: Settings) -> None:
    tests = statuses(empty, "test", "--select", "test_type:unit", *DATE)
    assert tests.pop("must_fail") == "fail"
    assert tests.pop("must_pass") == "pass"
    assert len(tests) >= 22
    assert {name: status for name, status in tests.items() if status != "pass"} == {}


def test_a_day_is_read_by_its_filters_and_once(empty: Settings, cluster: Cluster) -> None:
    """The plan of each model: at most one scan of telemetry, and of the date's hours only."""
    parts = ("intermediate", "marts", "triage", "investigation", "scoring")
    select = ("--select", *(f"path:models/{part}" for part in parts))
    # Those of `--empty` show no rows.
    statuses(empty, "run", "--select", "path:models/staging", *DATE)
    statuses(empty, "compile", *select, "--vars", f"{{date: {FIRST}, scoring: true}}")
    compiled = empty.target_dir / "target" / "compiled" / "spot_oa" / "models"
    scans = {}
    for file in (file for part in parts for file in compiled.glob(f"{part}/*/*.sql")):
        ((plan,),) = cluster.rows("explain " + file.read_text("utf-8"))
        scans[file.stem] = SCAN.findall(plan)
    filters = {name for name, found in scans.items() if found}
    of_scorer = {name for name in filters if "_score_" in name}
    assert len(of_scorer) == 9
    assert len(scans) > len(filters) >= 8 + 9
    readers = ("_filtered", "_cutoffs", "_ingest_summary")
    assert all(name.endswith(readers) for name in filters - of_scorer), filters
    # What there is of each group, the times of some, the events of those that come out on top.
    assert all(name.endswith(("_parts", "_regular", "_events")) for name in of_scorer), of_scorer
    for name in filters:
        (paths,) = scans[name]
        # One hour is a partition; the other date has as many.
        assert 1 <= int(paths) <= 24, name
