"""What scoring asks of the engine: few scans, plain joins, no more of them for a long past."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import duckdb
import pytest

from flows.run.dbt_runner import invoke
from flows.run.runner import score_day
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.settings import load_settings
from tests.support.report import Told

FIRST, _ = DEMO_DATES
PAST = [FIRST - dt.timedelta(days=n) for n in range(1, 15)]
SCANS = {
    "flow": {"int_score_flow__parts", "int_score_flow__regular", "int_score_flow__events"},
    "dns": {"int_score_dns__parts", "int_score_dns__regular", "int_score_dns__events"},
    "proxy": {"int_score_proxy__parts", "int_score_proxy__regular", "int_score_proxy__events"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("plans")
    generate(home, dates=[FIRST], rows_per_day=800)
    for pipeline in SCANS:
        score_day(load_settings(home=home), pipeline, FIRST, Told(), limit=20)
    return home


@pytest.fixture(scope="module")
def models(home: Path) -> dict[str, str]:
    return compiled(home, PAST[:1])


def compiled(home: Path, past: list[dt.date]) -> dict[str, str]:
    """The scorer's models as SQL, by name, with so many dates to remember."""
    variables = {"scoring": True, "score_history": [str(date) for date in past]}
    given = json.dumps({"date_from": str(FIRST), "date_to": str(FIRST), **variables})
    command = ["compile", "--select", "path:models/scoring", "--vars", given]
    outcome = invoke(load_settings(home=home), command)
    assert outcome.exception is None
    return {each.node.name: each.node.compiled_code for each in outcome.result.results}


def test_telemetry_is_scanned_three_times(home: Path, models: dict[str, str]) -> None:
    found: dict[str, int] = {}
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        for name, sql in models.items():
            plan = str(connection.execute("explain " + sql).fetchall())
            found[name] = plan.count("READ_PARQUET")
            # Nothing is joined without a condition, but to a table of one row.
            assert "NESTED_LOOP_JOIN" not in plan or "own" in name, name
            assert "BLOCKWISE_NL_JOIN" not in plan or "own" in name, name
    for pipeline, readers in SCANS.items():
        scans = {name: n for name, n in found.items() if f"_{pipeline}_" in name and n}
        assert scans == dict.fromkeys(readers, 1)


def test_reasons_are_joined_to_groups_only(models: dict[str, str]) -> None:
    """Two tables of entities that are joined to each other first take minutes of a large day."""
    for name, sql in models.items():
        if not name.endswith(("__reasons", "__candidates", "__scored")):
            continue
        joins = re.findall(r"\b(\w+) join\b", sql)
        assert set(joins) <= {"left", "cross"}, name


def test_a_long_past_costs_no_statement(home: Path, models: dict[str, str]) -> None:
    long = compiled(home, PAST)
    assert long.keys() == models.keys()
    for name, sql in long.items():
        assert sql.count("select") == models[name].count("select"), name
        assert ";" not in sql, name
