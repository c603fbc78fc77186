"""Which mutants of the models the unit tests let live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import yaml

from tests.mutation.operators import Mutant, mutants
from tests.mutation.unit_tests import UnitTest

EQUIVALENT = Path(__file__).with_name("equivalent.yml")

# What dbt would refuse before it ran anything, and so would nobody ever commit.
_INVALID = (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException)


@dataclass
class Outcome:
    """What became of the mutants of one model."""

    model: str
    killed: dict[str, str] = field(default_factory=dict)
    """By name, with the unit test that failed."""
    alive: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)


def check(connection: duckdb.DuckDBPyConnection, tests: Iterable[UnitTest]) -> list[Outcome]:
    """Run every mutant of every model through the model's unit tests.

    Args:
        connection: Holds the code lists; given rows are made in it as temporary tables.
        tests: All unit tests.
    """
    by_model: dict[str, list[UnitTest]] = {}
    for test in tests:
        by_model.setdefault(test.model, []).append(test)
    return [_check_model(connection, model, of_model) for model, of_model in by_model.items()]


def _check_model(
    connection: duckdb.DuckDBPyConnection, model: str, tests: list[UnitTest]
) -> Outcome:
    outcome = Outcome(model)
    names = [mutant.name for mutant in mutants(tests[0].steps)]
    alive: Mapping[int, str] = dict(enumerate(names))
    invalid: dict[int, int] = dict.fromkeys(alive, 0)
    for test in tests:
        made = list(mutants(test.steps))
        assert len(made) == len(names), f"{test.name} compiles to SQL of another shape"
        test.give(connection)
        expected = test.expected_rows(connection)
        assert test.rows(connection, test.sql()) == expected, f"{test.name} fails"
        for number in list(alive):
            verdict = _verdict(connection, test, made[number], expected)
            if verdict == "killed":
                outcome.killed[names[number]] = test.name
            elif verdict == "invalid":
                invalid[number] += 1
        alive = {n: name for n, name in alive.items() if name not in outcome.killed}
    outcome.invalid = [name for n, name in alive.items() if invalid[n] == len(tests)]
    outcome.alive = [name for n, name in alive.items() if name not in outcome.invalid]
    return outcome


def _verdict(
    connection: duckdb.DuckDBPyConnection, test: UnitTest, mutant: Mutant, expected: object
) -> str:
    try:
        rows = test.rows(connection, test.sql(mutant))
    except _INVALID:
        return "invalid"
    except duckdb.Error:
        return "killed"
    return "lives" if rows == expected else "killed"


def equivalent() -> dict[str, str]:
    """Mutants that give what the model gives, whatever the rows: `model: name` with the reason."""
    described = yaml.safe_load(EQUIVALENT.read_text("utf-8"))
    return {
        f"{model}: {name}": entry["because"]
        for entry in described
        for model, names in entry["mutants"].items()
        for name in names
    }
