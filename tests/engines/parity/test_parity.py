"""One project, several engines, equal rows: whatever is run, and in whatever order."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.run.runner import refresh_day
from spot_oa.dates import Slice, parse_date
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.pipelines import load_pipelines
from spot_oa.publish import published_folder
from tests.support.cases import Case, assert_same, published
from tests.support.labelled import judge
from tests.support.published import Files, content
from tests.support.report import Told
from tests.support.targets import (
    DuckDB,
    Impala,
    Rows,
    Spark,
    Target,
    differing,
)

pytestmark = [pytest.mark.parity, pytest.mark.timeout(900)]

FIRST, SECOND = DEMO_DATES
BOTH = f"{{date_from: {FIRST}, date_to: {SECOND}}}"
PIPELINES = load_pipelines()
PARTS = [Slice(pipeline, date) for date in DEMO_DATES for pipeline in PIPELINES]
TOLD = {
    table
    for pipeline in PIPELINES.values()
    if pipeline.triage and pipeline.triage.stories
    for table in pipeline.triage.stories.tables
}
# Three first runs on Spark are in the time of the first test, where others may be at work.
ON_SPARK = [pytest.mark.spark, pytest.mark.timeout(2400)]
# In CI the engine that is real; the stand-in's statements have tests of their own there.
TARGETS = [
    pytest.param(Impala, marks=pytest.mark.thorough),
    pytest.param(Spark, marks=ON_SPARK),
]


@dataclass(frozen=True)
class Wanted:
    """What DuckDB made of the demo's days."""

    home: Path
    target: DuckDB
    tables: dict[str, Rows]
    files: dict[Slice, Files]


def judged(target: Target, part: Slice) -> Files:
    """What a day's triage holds in files, and beside the tables."""
    folder = published_folder(target.settings.triage_dir, part)
    texts = {
        name: (folder / name).read_text("utf-8") for name in ("actions.jsonl", "ml_feedback.csv")
    }
    return {**content(folder), **{name: (text,) for name, text in texts.items()}}


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> Wanted:
    home = tmp_path_factory.mktemp("duckdb")
    generate(home, pipelines=tuple(PIPELINES), rows_per_day=1000, suspicious=40)
    target = DuckDB()
    target.open(home)
    files = {part: content(target.run(part).folder) for part in PARTS}
    for part in PARTS:
        judge(target.settings, part)
        refresh_day(target.settings, part.pipeline, part.date, Told())
    return Wanted(home, target, target.tables(), files)


@pytest.fixture(scope="module", params=TARGETS, ids=lambda make: make.name)
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    spark = request.param is Spark
    target = request.param(*([request.getfixturevalue("cluster")] if spark else []))
    yield target
    target.close()


@pytest.fixture(scope="module")
def built(
    target: Target, wanted: Wanted, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Target, dict[Slice, Files]]:
    """The target after a first run of each pipeline, and the files it published."""
    home = tmp_path_factory.mktemp(target.name)
    for part in ("raw", "ml", "context"):
        shutil.copytree(wanted.home / part, home / part)
    shutil.copy(wanted.home / "analyst.sqlite", home)
    target.open(home)
    return target, first_runs(target, FIRST)


@pytest.fixture(scope="module")
def both(built: tuple[Target, dict[Slice, Files]]) -> tuple[Target, dict[Slice, Files]]:
    """The target after first runs of both dates, and the files of the second one."""
    target, _ = built
    return target, first_runs(target, SECOND)


def first_runs(target: Target, date: dt.date) -> dict[Slice, Files]:
    return {part: content(target.run(part).folder) for part in PARTS if part.date == date}


def of_date(tables: dict[str, Rows], date: dt.date) -> dict[str, Rows]:
    """Rows of one date; the day is the last column of each table."""
    return {
        name: Rows({row: number for row, number in rows.items() if row[-1] == date.day})
        for name, rows in tables.items()
    }


def test_first_runs(built: tuple[Target, dict[Slice, Files]], wanted: Wanted) -> None:
    """The same rows in the tables; files with the same columns, rows, order and metadata."""
    target, files = built
    intended = of_date(wanted.tables, FIRST)
    assert all(intended.values())
    assert list(differing(target.tables(), intended)) == []
    for part, made in files.items():
        assert made == wanted.files[part]
        assert judged(target, part) == judged(wanted.target, part)


def test_a_refresh(built: tuple[Target, object], wanted: Wanted) -> None:
    target, _ = built
    part = Slice("dns", FIRST)
    before = judged(target, part)
    refresh_day(target.settings, part.pipeline, part.date, Told())
    assert judged(target, part) == before
    assert list(differing(of_date(target.tables(), FIRST), of_date(wanted.tables, FIRST))) == []


@pytest.mark.thorough
def test_first_runs_of_another_date(
    both: tuple[Target, dict[Slice, Files]], wanted: Wanted
) -> None:
    target, files = both
    assert list(differing(target.tables(), wanted.tables)) == []
    for part, made in files.items():
        assert made == wanted.files[part]
        assert judged(target, part) == judged(wanted.target, part)


@pytest.mark.thorough
def test_a_rerun(both: tuple[Target, object], wanted: Wanted) -> None:
    target, _ = both
    part = Slice("dns", FIRST)
    assert content(target.run(part).folder) == wanted.files[part]
    assert list(differing(target.tables(), wanted.tables)) == []


@pytest.mark.thorough
def test_an_unchanged_day_is_left_alone(both: tuple[Target, object]) -> None:
    target, _ = both
    assert target.run(Slice("flow", SECOND), skip_unchanged=True).unchanged


@pytest.mark.thorough
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("run", "--full-refresh", "--vars", f"{{date: {FIRST}}}"), id="full-refresh"),
        pytest.param(("run", "--empty"), id="empty"),
        pytest.param(("run", "--empty", "--vars", BOTH), id="empty-of-dates"),
        pytest.param(
            ("build", "--vars", BOTH, "--exclude-resource-type", "unit_test"), id="a-range"
        ),
    ],
)
def test_dbt_by_itself_changes_nothing(
    both: tuple[Target, object], wanted: Wanted, command: tuple[str, ...]
) -> None:
    """What it builds is what is there, and it clears nothing else."""
    target, _ = both
    target.show_telemetry(DEMO_DATES)
    target.dbt(*command).succeeds()
    assert list(differing(target.tables(), wanted.tables)) == []


@pytest.mark.thorough
def test_two_dates_in_two_processes(both: tuple[Target, object], wanted: Wanted) -> None:
    target, _ = both
    started = [
        target.dbt("run", "--vars", f"{{date: {date}}}", work=target.settings.home / f"dbt-{date}")
        for date in DEMO_DATES
    ]
    for process in started:
        process.succeeds()
    assert list(differing(target.tables(), wanted.tables)) == []


@pytest.mark.thorough
def test_a_rerun_without_rows(both: tuple[Target, object], wanted: Wanted, tmp_path: Path) -> None:
    """No results and no telemetry: the day's rows go, those of the other day stay."""
    target, _ = both
    reference = DuckDB()
    shutil.copytree(wanted.home, tmp_path / "home")
    reference.open(tmp_path / "home")
    for engine in (target, reference):
        for pipeline in PIPELINES.values():
            part = Slice(pipeline.name, FIRST)
            results = Path(pipeline.results_uri(engine.settings.ml_uri, part))
            results.write_bytes(b"")
            (day,) = (Path(engine.settings.raw_uri) / pipeline.name).glob("y=2016/m=*7/d=*8")
            shutil.rmtree(day)
        engine.load_telemetry()
        for pipeline in PIPELINES:
            summary = engine.run(Slice(pipeline, FIRST))
            assert set(summary.tables.values()) == {0}
    made = target.tables()
    assert list(differing(made, reference.tables())) == []
    # What stories were told of stays: nothing could make it again.
    assert all(row[-1] == SECOND.day for name in set(made) - TOLD for row in made[name])
    assert all(FIRST.day in {row[-1] for row in made[name]} for name in TOLD)
    assert all(made.values())


@pytest.mark.thorough
@pytest.mark.reference
@pytest.mark.parametrize("case", ["base", "real_20240420"])
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_reference_cases(
    target: Target, pipeline: str, case: str, reference: Path, tmp_path: Path
) -> None:
    if target.name == "spark" and case != "base":
        pytest.skip("minutes: one case of each pipeline has to do")
    found = Case.read(reference / "cases" / pipeline / case)
    home = tmp_path / "home"
    found.lay_out(home, reference)
    target.open(home)
    part = Slice(pipeline, parse_date(found.date))
    made = published(target.run(part, found.run["limit"]).folder)
    intended = found.intended()
    # The cases have the tables of Spot's own OA.
    assert made.keys() - intended.keys() <= {"flow_addresses"}
    for table, rows in intended.items():
        assert_same(made[table], rows, table)
