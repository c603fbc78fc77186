"""The same models on Spark, a distributed engine: the tables are those of DuckDB, row for row.

Spark runs in this process, without a cluster. Python's tables and the telemetry are handed over as
the Parquet that they are or are exported to; the project's Python does not write to Spark.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.cli.main import dbtRunner

from flows.runner import run_day
from spot_oa.dates import parse_date
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.pipelines import Pipeline, load_pipelines
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse.tables import python_tables
from tests.conftest import PROJECT
from tests.support.cases import Case
from tests.support.report import Told

pytestmark = [pytest.mark.spark, pytest.mark.xdist_group("spark"), pytest.mark.timeout(900)]

PIPELINES = load_pipelines()
FIRST, SECOND = DEMO_DATES
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

Rows = Counter[tuple[object, ...]]


@dataclass
class Spark:
    """A Spark session with the project's databases, and dbt on it."""

    session: Any
    folder: Path
    taken: int = 0

    def take(self, settings: Settings, pipelines: Sequence[Pipeline]) -> None:
        """Replace Python's tables and the telemetry by those of a home in which runs were made."""
        self.taken += 1
        exported = self.folder / f"exported-{self.taken}"
        exported.mkdir()
        with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
            for table in python_tables(PIPELINES):
                file = exported / f"{table}.parquet"
                connection.execute(f"copy (from {table}) to '{file}' (format parquet)")
                self.sql(f"drop table if exists {table}")
                self.sql(f"create table {table} using parquet location '{file}'")
        for pipeline in pipelines:
            columns = ", ".join(f"{c} {kind}" for c, kind in pipeline.telemetry.columns.items())
            self.sql(f"drop table if exists raw.{pipeline.name}")
            self.sql(
                f"create table raw.{pipeline.name} ({columns}, y int, m int, d int, h int) "
                f"using parquet partitioned by (y, m, d, h) "
                f"location '{Path(settings.raw_uri) / pipeline.name}'"
            )
            self.sql(f"msck repair table raw.{pipeline.name}")

    def sql(self, statement: str) -> Any:
        return self.session.sql(statement)

    def dbt(self, *command: str) -> Any:
        return dbtRunner().invoke(
            [*command, "--quiet", "--project-dir", str(PROJECT), "--profiles-dir",
             str(PROJECT / "profiles"), "--target", "spark", "--target-path",
             str(self.folder / "target"), "--log-path", str(self.folder / "logs")]
        )  # fmt: skip

    def rows(self, mart: str) -> Rows:
        return Counter(tuple(row) for row in self.sql(f"select * from oa.{mart}").collect())


def rows(settings: Settings, mart: str) -> Rows:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return Counter(connection.execute(f"from oa.{mart}").fetchall())


def of_date(found: Rows, date: Any) -> Rows:
    day = (date.year, date.month, date.day)
    return Counter({row: n for row, n in found.items() if row[-3:] == day})


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
def demo(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home in which every pipeline has run on both demo dates."""
    home = tmp_path_factory.mktemp("demo")
    generate(home, pipelines=tuple(PIPELINES), rows_per_day=300, suspicious=30)
    settings = load_settings(home=home)
    for pipeline in PIPELINES:
        for date in DEMO_DATES:
            run_day(settings, pipeline, date, Told())
    return settings


def test_the_demo_first_and_again_and_without_results(spark: Spark, demo: Settings) -> None:
    spark.take(demo, list(PIPELINES.values()))
    both = json.dumps({"date_from": str(FIRST), "date_to": str(SECOND)})
    done = spark.dbt("build", "--exclude-resource-type", "unit_test", "--vars", both)
    assert done.success, done.exception
    marts = [mart for pipeline in PIPELINES.values() for mart in pipeline.tables]
    made = {mart: spark.rows(mart) for mart in marts}
    for mart in marts:
        assert made[mart] == rows(demo, mart), mart
        assert made[mart], mart

    second = json.dumps({"date": str(SECOND)})
    assert spark.dbt("run", "--select", "+path:models/marts", "--vars", second).success
    assert {mart: spark.rows(mart) for mart in marts} == made

    assert spark.dbt("run", "--empty").success
    assert {mart: spark.rows(mart) for mart in marts} == made

    for pipeline in PIPELINES:
        run_day(demo, pipeline, SECOND, Told(), limit=0)
    spark.take(demo, list(PIPELINES.values()))
    assert spark.dbt("run", "--select", "+path:models/marts", "--vars", second).success
    for mart in marts:
        left = spark.rows(mart)
        assert left == rows(demo, mart), mart
        assert of_date(left, FIRST) == of_date(made[mart], FIRST), mart
        assert bool(of_date(left, SECOND)) == mart.endswith("_ingest_summary"), mart


def test_unit_tests_pass(spark: Spark) -> None:
    day = json.dumps({"date": str(FIRST)})
    done = spark.dbt("test", "--select", "test_type:unit", "--vars", day)
    assert done.success, [r.message for r in done.result.results if r.status != "pass"]


@pytest.mark.reference
@pytest.mark.parametrize("name", PIPELINES)
def test_the_base_cases(spark: Spark, reference: Path, tmp_path: Path, name: str) -> None:
    case = Case.read(reference / "cases" / name / "base")
    home = tmp_path / "home"
    case.lay_out(home, reference)
    settings = load_settings(home=home)
    run_day(settings, name, parse_date(case.date), Told(), limit=case.run["limit"])
    spark.take(settings, [case.pipeline])
    done = spark.dbt(
        "build", "--exclude-resource-type", "unit_test", "--select", f"+path:models/marts/{name}",
        "--vars", json.dumps({"date": case.date}),
    )  # fmt: skip
    assert done.success, done.exception
    for mart in case.pipeline.tables:
        made = of_date(spark.rows(mart), parse_date(case.date))
        assert made == rows(settings, mart), mart
        assert made, mart
