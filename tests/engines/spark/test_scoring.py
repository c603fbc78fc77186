"""The built-in scorer on Spark: what it writes is what it writes on DuckDB, byte for byte."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.run.runner import run_day, score_day
from spot_oa.dates import Slice
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.pipelines import load_pipelines
from spot_oa.publish import published_folder
from spot_oa.settings import Settings, load_settings
from tests.support.labelled import day
from tests.support.published import content
from tests.support.report import Told
from tests.support.spark import HOST, Cluster

FIRST, SECOND = DEMO_DATES
PIPELINES = load_pipelines()
LIMIT = 60


@dataclass(frozen=True)
class Homes:
    """Two homes with the same telemetry, and the same published and judged first day."""

    pipeline: str
    duckdb: Settings
    spark: Settings


@pytest.fixture(
    scope="module",
    params=[
        "flow",
        *(pytest.param(name, marks=pytest.mark.thorough) for name in PIPELINES if name != "flow"),
    ],
)
def homes(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Homes:
    pipeline, home = request.param, tmp_path_factory.mktemp(f"scored_{request.param}")
    generate(home / "duckdb", pipelines=(pipeline,), rows_per_day=1000, suspicious=40)
    duckdb = load_settings(home=home / "duckdb")
    run_day(duckdb, pipeline, FIRST, Told(), limit=LIMIT, scorer="builtin")
    opened = day(duckdb, pipeline, date=FIRST)
    opened.label_ranks([0], "high")
    opened.label_ranks([LIMIT // 2], "low")
    for part in ("raw", "context", "data"):
        shutil.copytree(home / "duckdb" / part, home / "spark" / part)
    shutil.copy(home / "duckdb" / "analyst.sqlite", home / "spark")
    spark = load_settings(
        home=home / "spark",
        target="spark",
        spark_host=HOST,
        spark_port=cluster.port,
        schema_prefix=f"scored_{pipeline}_",
    )
    score_day(duckdb, pipeline, SECOND, Told(), limit=LIMIT)
    for date in DEMO_DATES:
        score_day(spark, pipeline, date, Told(), limit=LIMIT)
    return Homes(pipeline, duckdb, spark)


def scored(settings: Settings, pipeline: str) -> dict[str, bytes]:
    """The files that the scorer has written, by date and name."""
    folder = Path(settings.ml_uri) / pipeline / "scored_results"
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_results_and_reasons_are_those_of_duckdb(homes: Homes) -> None:
    """Of a first day, and of one with a memory and labels."""
    made = scored(homes.spark, homes.pipeline)
    assert len(made) == 4
    assert made == scored(homes.duckdb, homes.pipeline)
    labelled = [text for name, text in made.items() if name.startswith(f"{SECOND:%Y%m%d}")]
    assert any(b"judged " in text for text in labelled)


@pytest.mark.thorough
def test_a_run_that_scores_again_publishes_the_same(homes: Homes) -> None:
    """The second date reads the state of the first one, in the table that it writes its own to."""
    if homes.pipeline != "flow":
        pytest.skip("minutes: what a run adds to the scorer is the same for all")
    for settings in (homes.duckdb, homes.spark):
        run_day(settings, "flow", SECOND, Told(), limit=LIMIT, scorer="builtin")
    assert scored(homes.spark, "flow") == scored(homes.duckdb, "flow")
    part = Slice("flow", SECOND)
    made, wanted = (
        content(published_folder(settings.data_dir, part))
        for settings in (homes.spark, homes.duckdb)
    )
    assert "flow_reasons.parquet" in wanted
    assert made == wanted
