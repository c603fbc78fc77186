from __future__ import annotations

import datetime as dt
from importlib.metadata import PackageNotFoundError, version

import pytest

from flows.run.summary import Enriched, Summary, versions
from python_enrichers.base import Outcome
from spot_oa.dates import Slice
from spot_oa.errors import ConfigError
from spot_oa.landing import Landed

PART = Slice("flow", dt.date(2016, 7, 8))


@pytest.fixture
def summary() -> Summary:
    return Summary(PART, "run", 10, "duckdb", dt.datetime(2016, 7, 9, tzinfo=dt.UTC))


def test_a_good_landing_warns_of_nothing(summary: Summary) -> None:
    summary.landed = Landed(3, 0, {}, 0, "uri", "hash")
    assert summary.warnings == []


def test_scores_that_fall_and_files_that_are_not_read(summary: Summary) -> None:
    summary.landed = Landed(3, 0, {}, 0, "uri", "hash", falls_at=7, left_out=["a.csv.gz", "b\nc"])
    scores, file, other = summary.warnings
    assert "scores do not ascend: that of line 7 is lower" in scores
    assert file == "a.csv.gz is in the folder of the ML results but is not read"
    assert other == "b\\nc is in the folder of the ML results but is not read"


def test_the_reason_is_told_where_many_lines_are_skipped(summary: Summary) -> None:
    outcomes = [Outcome("few", skipped=2), Outcome("many", skipped=9, first_skipped="line 3: why")]
    summary.enriched["geo"] = Enriched({}, outcomes)
    assert summary.warnings == [
        "geo: 2 unusable lines in few",
        "geo: 9 unusable lines in many, more than a tenth: correct them; line 3: why",
    ]


def test_an_engine_without_its_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(name: str) -> str:
        if name == "dbt-spark":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr("flows.run.summary.version", found)
    assert versions("duckdb")["duckdb"] == version("duckdb")
    with pytest.raises(ConfigError, match=r"dbt-spark is missing; pip install 'spot-oa\[spark\]'"):
        versions("spark")
