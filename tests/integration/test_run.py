"""Runs from the results file to the published Parquet, on the demo network."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import shutil
from pathlib import Path

import duckdb
import pytest

from flows.run.runner import is_unchanged, run_day
from flows.run.summary import Summary
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.errors import BuildError, ConfigError, EnrichmentError, LandingError, WarehouseError
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import Settings, load_settings
from tests.support.project import PROJECT
from tests.support.published import digests
from tests.support.report import Told

FIRST, SECOND = DEMO_DATES
FLOW = get_pipeline("flow")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("demo")
    generate(home, pipelines=("flow",), rows_per_day=2000, suspicious=60)
    return home


@pytest.fixture(scope="module")
def ran(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which both dates have been run."""
    home = tmp_path_factory.mktemp("ran") / "home"
    shutil.copytree(demo, home)
    for date in DEMO_DATES:
        run(load_settings(home=home), date)
    return home


@pytest.fixture
def home(ran: Path, tmp_path: Path) -> Settings:
    copy = tmp_path / "home"
    shutil.copytree(ran, copy)
    return load_settings(home=copy)


def run(settings: Settings, date: dt.date = FIRST, limit: int | None = None) -> Summary:
    return run_day(settings, "flow", date, Told(), limit=limit)


def day(settings: Settings, date: dt.date = FIRST) -> Path:
    return settings.data_dir / "flow" / date.strftime("%Y%m%d")


def results(settings: Settings, date: dt.date = FIRST) -> Path:
    folder = Path(settings.ml_uri) / "flow" / "scored_results" / date.strftime("%Y%m%d")
    return folder / "scores" / "flow_results.csv"


def count(settings: Settings, table: str, date: dt.date = FIRST) -> int:
    file = day(settings, date) / f"{table}.parquet"
    return int(duckdb.sql(f"select count(*) from '{file}'").fetchall()[0][0])


def rows(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    tables = "select concat(schema_name, '.', table_name) from duckdb_tables() order by all"
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        names = [name for (name,) in connection.execute(tables).fetchall()]
        return {name: connection.execute(f"from {name}").fetchall() for name in names}


def test_a_rerun_gives_the_same_bytes(home: Settings) -> None:
    before = digests(day(home))
    assert before.keys() == {f"{table}.parquet" for table in FLOW.tables}
    summary = run(home)
    assert digests(day(home)) == before
    assert summary.landed is not None
    assert summary.landed.rows > 0
    assert [path.name for path in sorted(day(home).parent.iterdir())] == sorted(
        date.strftime("%Y%m%d") for date in DEMO_DATES
    )


def test_an_emptied_results_file_empties_all_but_the_summary(home: Settings) -> None:
    summary_rows = count(home, "flow_ingest_summary")
    other = digests(day(home, SECOND))
    results(home).write_text("")
    run(home)
    assert [count(home, table) for table in ("flow_scores", "flow_edge", "flow_chords")] == [0] * 3
    assert count(home, "flow_ingest_summary") == summary_rows > 0
    assert digests(day(home, SECOND)) == other
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        dates = "select distinct d from {table} order by d"
        found = connection.execute(dates.format(table="oa.flow_scores")).fetchall()
        assert found == [(SECOND.day,)]


def test_limit_zero_is_a_day_without_suspects(home: Settings) -> None:
    assert run(home, limit=0).tables["flow_scores"] == 0


def test_the_manifest_tells_what_was_done(home: Settings) -> None:
    manifest = json.loads((day(home) / "manifest.json").read_text("utf-8"))
    assert (
        manifest["input"]["source_sha256"] == hashlib.sha256(results(home).read_bytes()).hexdigest()
    )
    assert manifest["limit"] == 500
    for table, entry in manifest["tables"].items():
        assert entry == {"file": f"{table}.parquet", "rows": count(home, table)}
    assert manifest["started"] <= manifest["finished"]
    assert any("lines rejected" in warning for warning in manifest["warnings"])
    assert {source["source"] for source in manifest["sources"]} >= {"iploc", "ipranges"}


def test_published_columns_are_the_contract_and_the_dbt_contract(home: Settings) -> None:
    for table in FLOW.tables:
        described = duckdb.sql(f"describe from '{day(home) / table}.parquet'").fetchall()
        assert [row[0] for row in described][-3:] == ["y", "m", "d"]


def test_telemetry_that_is_not_there_is_a_warning(home: Settings) -> None:
    part = Path(home.raw_uri) / "flow" / f"y={FIRST.year}" / f"m={FIRST.month}" / f"d={FIRST.day}"
    shutil.rmtree(part)
    with duckdb.connect(str(home.warehouse)) as connection:
        for week in (1, 2, 3):
            day = FIRST - dt.timedelta(weeks=week)
            minute = [f"{day} 12:00", 2000, day.year, day.month, day.day]
            connection.execute("insert into oa.flow_ingest_summary values (?, ?, ?, ?, ?)", minute)
    summary = run(home)
    assert summary.tables["flow_scores"] > 0
    assert summary.tables["flow_ingest_summary"] == 0
    assert f"no telemetry for {FIRST}" in "\n".join(summary.warnings)
    assert "flow_edge is empty" not in "\n".join(summary.warnings)
    assert summary.warnings[-1] == (
        f"test flow_volume: {FIRST} has 0 events, where 2000 are usual for a Friday (median of 3)"
    )


def test_suspicious_events_without_one_raw_event_are_a_warning(home: Settings) -> None:
    assert not any("flow_edge" in warning for warning in run(home).warnings)
    for file in (Path(home.raw_uri) / "flow").rglob("*.parquet"):
        other = file.with_suffix(".other")
        duckdb.sql(f"select * replace ('203.0.113.9' as sip) from '{file}'").write_parquet(
            str(other)
        )
        other.replace(file)
    summary = run(home)
    (said,) = (warning for warning in summary.warnings if "flow_edge" in warning)
    assert said.startswith(f"flow_edge is empty, flow_scores has {summary.tables['flow_scores']} ")
    assert said in json.loads((day(home) / "manifest.json").read_text("utf-8"))["warnings"]
    page = (PROJECT / "README.md").read_text("utf-8")
    assert f"**{said.rpartition('README, ')[2].strip(chr(34))}" in page


def test_telemetry_of_which_no_row_is_complete_is_a_warning(home: Settings) -> None:
    for file in (Path(home.raw_uri) / "flow").rglob("*.parquet"):
        other = file.with_suffix(".other")
        rows = f"select * replace (cast(null as bigint) as unix_tstamp) from '{file}'"
        duckdb.sql(rows).write_parquet(str(other))
        other.replace(file)
    summary = run(home)
    assert summary.tables["flow_edge"] > 0
    (said,) = (warning for warning in summary.warnings if "flow_ingest_summary" in warning)
    assert said.startswith("flow_ingest_summary is empty although there is telemetry: ")
    page = (PROJECT / "README.md").read_text("utf-8")
    assert f"**{said.rpartition('README, ')[2].strip(chr(34))}." in page


def _replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _truncate_telemetry(settings: Settings) -> None:
    file = next(
        Path(settings.raw_uri).glob(f"flow/y={FIRST.year}/m={FIRST.month}/d={FIRST.day}/*/*")
    )
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (lambda s: results(s).unlink(), LandingError, "flow_results.csv: no such file"),
        (
            lambda s: (results(s).unlink(), results(s).mkdir()),
            LandingError,
            "is a folder without part files",
        ),
        (lambda s: _replace_by_folder(s.context_dir / "iploc.csv"), EnrichmentError, "iploc.csv"),
        (
            lambda s: _replace_by_folder(s.context_dir / "networkcontext.csv"),
            EnrichmentError,
            "networkcontext.csv",
        ),
        (lambda s: shutil.rmtree(Path(s.raw_uri) / "flow"), ConfigError, "SPOT_OA_RAW_URI"),
        (_truncate_telemetry, WarehouseError, "not readable Parquet"),
        (
            lambda s: s.warehouse.write_bytes(b"no database" * 1000),
            WarehouseError,
            "cannot be opened",
        ),
    ],
    ids=["no-results", "results-folder", "iploc", "networkcontext", "raw", "parquet", "warehouse"],
)
def test_bad_input_is_one_line_and_leaves_the_day(
    home: Settings, spoil: object, error: type[Exception], says: str
) -> None:
    before = digests(day(home))
    spoil(home)  # type: ignore[operator]
    with pytest.raises(error) as caught:
        run(home)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert digests(day(home)) == before


def test_a_broken_geo_database_leaves_everything_as_it_was(home: Settings, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(b"\x00" * 5000)
    before = rows(home)
    with pytest.raises(EnrichmentError, match=r"broken\.mmdb"):
        run(home.model_copy(update={"geo_db": (broken,)}))
    after = rows(home)
    assert after.pop("oa.run_audit") != before.pop("oa.run_audit")
    assert after == before


def test_a_missing_dbt_project_is_said_before_the_first_step(
    home: Settings, tmp_path: Path
) -> None:
    before = rows(home)
    wrong = home.model_copy(update={"project_dir": tmp_path})
    told = r"dbt_project\.yml: no such file; correct or unset SPOT_OA_PROJECT_DIR"
    with pytest.raises(ConfigError, match=told):
        run(wrong)
    assert rows(home) == before


def test_a_failing_data_test_stops_before_publishing(home: Settings, tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in ("models", "macros", "seeds", "tests/dbt", "profiles"):
        shutil.copytree(home.project_dir / name, project / name)
    shutil.copy(home.project_dir / "dbt_project.yml", project)
    scores = project / "models" / "marts" / "flow" / "flow_scores.sql"
    scores.write_text(scores.read_text().replace("cast(results.rank as int)", "cast(1 as int)"))
    before = digests(day(home))
    with pytest.raises(BuildError, match=r"dbt test \S+ failed \(\d+ rows\)"):
        run(home.model_copy(update={"project_dir": project}))
    assert digests(day(home)) == before
    told = "select status, failed_step, reason from oa.run_audit order by started_at desc limit 1"
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        ((*ended, reason),) = connection.execute(told).fetchall()
    assert ended == ["failed", "dbt build"]
    # Two tests see it, whichever ends first.
    assert re.match(r"dbt test (grain_flow_scores|flow_scores_has_each_result_once)", reason)


def test_it_can_be_told_beforehand_whether_a_day_is_unchanged(home: Settings) -> None:
    # It was run elsewhere and copied.
    assert not is_unchanged(home, "flow", FIRST, None)
    run(home)
    assert is_unchanged(home, "flow", FIRST, None)
    assert not is_unchanged(home, "flow", FIRST, 7)
    home.warehouse.unlink()
    assert not is_unchanged(home, "flow", FIRST, None)
