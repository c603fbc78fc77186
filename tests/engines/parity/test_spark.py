"""The same models on Spark, a distributed engine: the tables are those of DuckDB, row for row.

Spark runs in this process, without a cluster. The project's Python does not write to Spark: its
tables are exported from a DuckDB home in which the runs were made, the telemetry is read in place.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.cli.main import dbtRunner

from flows.run.runner import refresh_day
from flows.run.tables import python_tables
from spot_oa.dates import Slice, parse_date
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings
from tests.support.cases import Case
from tests.support.labelled import judge
from tests.support.project import PROJECT
from tests.support.report import Told
from tests.support.targets import MARTS, DuckDB, Rows, differing

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]

PIPELINES = load_pipelines()
FIRST, SECOND = DEMO_DATES
NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
CHANGED = ("path:models/intermediate", "path:models/marts", "path:models/triage")
SMALL = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "1g",
    # Tables of some hundred rows: less planning, compiling and copying than would pay on a cluster.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
}


@dataclass
class Spark:
    """A Spark session with the project's databases, and dbt on it."""

    session: Any
    folder: Path
    taken: int = 0

    def take(self, settings: Settings) -> None:
        """Replace Python's tables and the telemetry by those of a home."""
        self.taken += 1
        exported = self.folder / f"exported-{self.taken}"
        exported.mkdir()
        with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
            for table in python_tables(PIPELINES):
                file = exported / f"{table}.parquet"
                connection.execute(f"copy (from {table}) to '{file}' (format parquet)")
                self.sql(f"drop table if exists {table}")
                self.sql(f"create table {table} using parquet location '{file}'")
        for pipeline in PIPELINES.values():
            root = Path(settings.raw_uri) / pipeline.name
            columns = ", ".join(f"{c} {kind}" for c, kind in pipeline.telemetry.columns.items())
            self.sql(f"drop table if exists raw.{pipeline.name}")
            self.sql(
                f"create table raw.{pipeline.name} ({columns}, y int, m int, d int, h int) "
                f"using parquet partitioned by (y, m, d, h) location '{root}'"
            )
            if root.is_dir():
                self.sql(f"msck repair table raw.{pipeline.name}")

    def sql(self, statement: str) -> Any:
        return self.session.sql(statement)

    def dbt(self, *command: str, **variables: dt.date) -> None:
        """Run dbt, which must end well."""
        values = json.dumps({name: str(value) for name, value in variables.items()})
        done = dbtRunner().invoke(
            [*command, "--vars", values, "--quiet", "--project-dir", str(PROJECT),
             "--profiles-dir", str(PROJECT / "profiles"), "--target", "spark", "--target-path",
             str(self.folder / "target"), "--log-path", str(self.folder / "logs")]
        )  # fmt: skip
        assert done.success, done.exception or [
            (result.node.name, result.message)
            for result in done.result
            if result.status in ("error", "fail")
        ]

    def tables(self) -> dict[str, Rows]:
        """All rows of every published table."""
        return {mart: self.rows(mart) for mart in MARTS}

    def rows(self, mart: str) -> Rows:
        """All rows of a published table."""
        return Counter(tuple(row) for row in self.sql(f"select * from oa.{mart}").collect())


def of_date(rows: Rows, date: dt.date) -> Rows:
    day = (date.year, date.month, date.day)
    return Counter({row: n for row, n in rows.items() if row[-3:] == day})


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    pyspark = pytest.importorskip("pyspark.sql", reason="pip install '.[spark]'")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    folder = tmp_path_factory.mktemp("spark")
    builder = pyspark.SparkSession.builder.master("local[2]")
    for name, value in {"spark.sql.warehouse.dir": str(folder / "warehouse"), **SMALL}.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    made = Spark(session, folder)
    for database in sorted({table.schema for table in python_tables(PIPELINES)}):
        made.sql(f"create database {database}")
    yield made
    session.stop()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DuckDB:
    """A home in which every pipeline has run on both demo dates."""
    home = tmp_path_factory.mktemp("demo")
    generate(home, pipelines=tuple(PIPELINES), rows_per_day=300, suspicious=30)
    target = DuckDB()
    target.open(home)
    for pipeline in PIPELINES:
        for date in DEMO_DATES:
            part = Slice(pipeline, date)
            target.run(part)
            judge(target.settings, part)
            refresh_day(target.settings, pipeline, date, Told())
    return target


def test_the_demo_first_and_again_and_without_results(spark: Spark, demo: DuckDB) -> None:
    spark.take(demo.settings)
    spark.dbt("build", *NO_UNIT_TESTS, date_from=FIRST, date_to=SECOND)
    made = demo.tables()
    assert list(differing(spark.tables(), made)) == []
    assert all(made.values())

    spark.dbt("run", "--select", *CHANGED, date=SECOND)
    assert list(differing(spark.tables(), made)) == []

    spark.dbt("run", "--select", *CHANGED, "--empty")
    spark.dbt("run", "--select", *CHANGED, "--full-refresh", date=FIRST)
    assert list(differing(spark.tables(), made)) == []

    for pipeline in PIPELINES:
        demo.run(Slice(pipeline, SECOND), limit=0)
    spark.take(demo.settings)
    spark.dbt("run", "--select", *CHANGED, date=SECOND)
    left = spark.tables()
    assert list(differing(left, demo.tables())) == []
    for mart in MARTS:
        assert of_date(left[mart], FIRST) == of_date(made[mart], FIRST), mart
        assert bool(of_date(left[mart], SECOND)) == mart.endswith("_ingest_summary"), mart


def test_unit_tests_pass(spark: Spark, demo: DuckDB) -> None:
    spark.dbt("test", "--select", "test_type:unit", date=FIRST)


@pytest.mark.reference
def test_the_base_cases(spark: Spark, reference: Path, tmp_path: Path) -> None:
    for name in PIPELINES:
        case = Case.read(reference / "cases" / name / "base")
        case.lay_out(tmp_path / name, reference)
        target = DuckDB()
        target.open(tmp_path / name)
        part = Slice(name, parse_date(case.date))
        target.run(part, case.run["limit"])
        spark.take(target.settings)
        marts = ("--select", f"+path:models/marts/{name}", "--indirect-selection", "buildable")
        spark.dbt("build", *NO_UNIT_TESTS, *marts, date=part.date)
        for mart in case.pipeline.tables:
            wanted = target.read_table(mart)
            assert of_date(spark.rows(mart), part.date) == wanted, mart
            assert wanted, mart
