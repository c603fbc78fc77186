"""Every mutant of every model fails a unit test of the model.

A mutant that gives the model's own rows whatever it is given is named in the model's yml, with the
reason: `config: meta: equivalent_mutants: {"step: what": reason}`.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping

import duckdb
import pytest
import yaml

from spot_oa.demo import DEMO_DATES
from spot_oa.settings import Settings
from tests.mutation.operators import Mutant, mutants
from tests.mutation.unit_tests import Rows, UnitTest, read_unit_tests
from tests.support.dbt import dbt
from tests.support.project import PROJECT

LAYERS = ("staging", "intermediate", "marts", "triage", "investigation")
"""Whose models are looked at. The scorer's are not: what they are to give is measured on labelled
sets, and their constants are settings."""

# What dbt would refuse before it ran anything: nobody could commit it unnoticed.
INVALID = (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException)


@pytest.fixture(scope="module")
def unit_tests(built: Settings) -> Mapping[str, list[UnitTest]]:
    """The unit tests of each model, as dbt runs them."""
    dates = f"{{date_from: {DEMO_DATES[0]}, date_to: {DEMO_DATES[1]}}}"
    # What an earlier run compiled would stay in the folder.
    shutil.rmtree(built.target_dir / "target" / "run", ignore_errors=True)
    code, output = dbt(built, "test", "--select", "test_type:unit", "--vars", dates)
    assert code == 0, output
    by_model: dict[str, list[UnitTest]] = defaultdict(list)
    looked_at = _models()
    for test in read_unit_tests(PROJECT, built.target_dir / "target"):
        if test.model in looked_at:
            by_model[test.model].append(test)
    return by_model


def test_no_mutant_lives(built: Settings, unit_tests: Mapping[str, list[UnitTest]]) -> None:
    models = _models()
    assert unit_tests.keys() == models
    killed, living = 0, set()
    with duckdb.connect(str(built.warehouse), read_only=True) as connection:
        # The rows are few and the plans many.
        connection.execute("pragma disable_optimizer")
        for model, tests in unit_tests.items():
            alive = _alive(connection, tests)
            killed += len(list(mutants(tests[0].steps))) - len(alive)
            living |= {(model, mutant.name) for mutant in alive}
    known = equivalent()
    assert sorted(living - known) == [], "write the unit test that tells it from the model"
    assert sorted(known - living) == [], "listed as equivalent, and is not"
    assert killed > 10 * len(models)


def _models() -> set[str]:
    return {file.stem for layer in LAYERS for file in (PROJECT / "models" / layer).rglob("*.sql")}


def _alive(connection: duckdb.DuckDBPyConnection, tests: list[UnitTest]) -> list[Mutant]:
    alive = list(mutants(tests[0].steps))
    valid: set[Mutant] = set()
    for test in tests:
        assert [m.name for m in mutants(test.steps)] == [m.name for m in mutants(tests[0].steps)], (
            f"{test.name} compiles to SQL of another shape"
        )
        test.give(connection)
        expected = test.expected_rows(connection)
        assert test.rows(connection, test.sql()) == expected, f"{test.name} fails"
        verdicts = {mutant: _verdict(connection, test, mutant, expected) for mutant in alive}
        valid |= {mutant for mutant, verdict in verdicts.items() if verdict != "invalid"}
        alive = [mutant for mutant, verdict in verdicts.items() if verdict != "killed"]
    return [mutant for mutant in alive if mutant in valid]


def _verdict(
    connection: duckdb.DuckDBPyConnection, test: UnitTest, mutant: Mutant, expected: Rows
) -> str:
    try:
        rows = test.rows(connection, test.sql(mutant))
    except INVALID:
        return "invalid"
    except duckdb.Error:
        return "killed"
    return "lives" if rows == expected else "killed"


def equivalent() -> set[tuple[str, str]]:
    """What the models' yml names as equivalent: model and mutant."""
    return {
        (model["name"], mutant)
        for file in (PROJECT / "models").rglob("_*__models.yml")
        for model in yaml.safe_load(file.read_text("utf-8"))["models"]
        for mutant in model.get("config", {}).get("meta", {}).get("equivalent_mutants", {})
    }
