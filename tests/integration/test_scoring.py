"""The built-in scorer from telemetry to published reasons, on the demo network's flows."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import duckdb
import pytest

from analyst.day import open_day
from flows.run.runner import run_day, score_day
from flows.run.summary import Summary
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.errors import SpotOaError
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse.published import read_rows
from tests.support.report import Told

FIRST, SECOND = DEMO_DATES
LIMIT = 60


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which both dates are scored, landed and published, in order."""
    home = tmp_path_factory.mktemp("scored") / "home"
    generate(home, pipelines=("flow",), rows_per_day=2000, suspicious=60)
    for date in DEMO_DATES:
        run(load_settings(home=home), date)
    return home


@pytest.fixture
def home(scored: Path, tmp_path: Path) -> Settings:
    copy = tmp_path / "home"
    shutil.copytree(scored, copy)
    return load_settings(home=copy)


def run(settings: Settings, date: dt.date) -> Summary:
    return run_day(settings, "flow", date, Told(), limit=LIMIT, scorer="builtin")


def score(settings: Settings, date: dt.date) -> Summary:
    return score_day(settings, "flow", date, Told(), limit=LIMIT)


def results(settings: Settings, date: dt.date) -> Path:
    folder = Path(settings.ml_uri) / "flow" / "scored_results" / date.strftime("%Y%m%d")
    return folder / "scores" / "flow_results.csv"


def state(settings: Settings) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return [
            row
            for table in ("seen", "profile")
            for row in connection.execute(
                f"select '{table}', * from oa_scoring.score_flow_{table} order by all"
            ).fetchall()
        ]


def reasons(settings: Settings, date: dt.date) -> list[dict[str, object]]:
    return read_rows(settings.data_dir / "flow" / date.strftime("%Y%m%d") / "flow_reasons.parquet")


def test_the_file_lands_as_it_is_and_each_row_has_its_reasons(home: Settings) -> None:
    lines = results(home, SECOND).read_text("utf-8").splitlines()
    scores = [float(line.split("\t")[17]) for line in lines]
    assert len(lines) == LIMIT
    assert scores == sorted(scores)
    published = home.data_dir / "flow" / SECOND.strftime("%Y%m%d")
    assert len(read_rows(published / "flow_scores.parquet")) == LIMIT
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        assert connection.execute("select count(*) from raw.results_rejects").fetchall() == [(0,)]
    told = reasons(home, SECOND)
    assert [row["rank"] for row in told] == list(range(LIMIT))
    assert all(str(row["reason"]) for row in told[:20])
    assert 'data-h="reasons">' in (home.data_dir / "reports" / "20160709.html").read_text("utf-8")


def test_a_rerun_gives_the_same_bytes_and_the_same_state(home: Settings) -> None:
    before = results(home, SECOND).read_bytes(), state(home)
    summary = score(home.model_copy(update={"threads": 1, "memory_limit": "1GB"}), SECOND)
    assert (results(home, SECOND).read_bytes(), state(home)) == before
    assert summary.ended == "scored"
    assert summary.scored is not None
    assert summary.scored.days == 1


@pytest.mark.long
def test_a_late_day_is_told_and_scored_again_in_order(home: Settings) -> None:
    before = results(home, SECOND).read_bytes(), state(home)
    with duckdb.connect(str(home.warehouse)) as connection:
        for table in ("seen", "profile"):
            connection.execute(f"delete from oa_scoring.score_flow_{table} where d = {FIRST.day}")
    score(home, SECOND)
    assert results(home, SECOND).read_bytes() != before[0]
    late = score(home, FIRST)
    assert any(f"--from {FIRST} --date {SECOND}" in warning for warning in late.warnings)
    score(home, SECOND)
    assert (results(home, SECOND).read_bytes(), state(home)) == before


def test_a_day_without_telemetry_is_refused_and_the_old_file_stays(home: Settings) -> None:
    before = results(home, SECOND).read_bytes(), state(home)
    folder = Path(home.raw_uri) / "flow" / "y=2016"
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(SpotOaError, match="no telemetry, nothing to score"):
        score(home, SECOND)
    assert (results(home, SECOND).read_bytes(), state(home)) == before


def test_what_analysts_judged_acts_on_later_dates_and_says_so(home: Settings) -> None:
    day = open_day("flow", FIRST, settings=home, author="anna")
    rows = read_rows(home.data_dir / "flow" / "20160708" / "flow_scores.parquet")
    low, high = rows[0], next(row for row in rows if row["dstip"] != rows[0]["dstip"])
    day.label("fields", {"srcip": str(low["srcip"]), "dstip": str(low["dstip"])}, 3)
    day.label("fields", {"srcip": str(high["srcip"]), "dstip": str(high["dstip"])}, 1)
    score(home, SECOND)
    run_day(home, "flow", SECOND, Told(), limit=LIMIT, scorer="file")
    after = reasons(home, SECOND)
    said = [str(row["label"]) for row in after]
    assert any(f"judged malicious by anna on {FIRST}" in text for text in said)
    assert all(float(str(row["feedback"])) > 0 for row in after if "malicious" in str(row["label"]))
    judged = {(row["srcip"], row["dstip"]) for row in [low]}
    shown = read_rows(home.data_dir / "flow" / "20160709" / "flow_scores.parquet")
    assert not [row for row in shown[:20] if (row["srcip"], row["dstip"]) in judged]


def test_a_build_of_everything_leaves_the_state_alone(home: Settings) -> None:
    from tests.support.dbt import dbt

    before = state(home)
    code, output = dbt(
        home, "run", "--select", "path:models/scoring/flow",
        "path:models/scoring/state/score_flow_*", "--vars", f"{{date: {FIRST}}}",
    )  # fmt: skip
    assert code == 0, output
    assert state(home) == before
