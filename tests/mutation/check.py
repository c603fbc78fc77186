"""Which mutants of the models the unit tests let live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import yaml

from tests.mutation.operators import Mutant, mutants
from tests.mutation.unit_tests import Rows, UnitTest

EQUIVALENT = Path(__file__).with_name("equivalent.yml")

# What dbt would refuse before it ran anything: no mutant, since nobody could commit it unnoticed.
_INVALID = (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException)


@dataclass
class Outcome:
    """What became of the mutants of one model."""

    model: str
    killed: dict[str, str] = field(default_factory=dict)
    """By name, with the unit test that failed."""
    alive: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """What to print, and whether it is good news."""

    lines: Sequence[str]
    good: bool


def check(connection: duckdb.DuckDBPyConnection, tests: Iterable[UnitTest]) -> list[Outcome]:
    """Run every mutant of every model through the model's unit tests.

    Args:
        connection: Holds the code lists; given rows are made in it as temporary tables.
        tests: All unit tests.
    """
    # The rows are few and the plans many.
    connection.execute("pragma disable_optimizer")
    by_model: dict[str, list[UnitTest]] = {}
    for test in tests:
        by_model.setdefault(test.model, []).append(test)
    outcomes = [_check_model(connection, model, of_model) for model, of_model in by_model.items()]
    # A pattern belongs to a macro: who breaks it sees the tests of all models fail that use it.
    anywhere = {name for outcome in outcomes for name in outcome.killed}
    for outcome in outcomes:
        outcome.alive = [
            name for name in outcome.alive if not (name.startswith("pattern") and name in anywhere)
        ]
    return outcomes


def _check_model(
    connection: duckdb.DuckDBPyConnection, model: str, tests: list[UnitTest]
) -> Outcome:
    outcome = Outcome(model)
    names = [mutant.name for mutant in mutants(tests[0].steps)]
    alive: Mapping[int, str] = dict(enumerate(names))
    valid: set[int] = set()
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
            if verdict != "invalid":
                valid.add(number)
        alive = {n: name for n, name in alive.items() if name not in outcome.killed}
    outcome.alive = [name for n, name in alive.items() if n in valid]
    return outcome


def killed_by(connection: duckdb.DuckDBPyConnection, test: UnitTest, mutant: Mutant) -> bool:
    """Whether one unit test fails with a mutant in its model's place."""
    test.give(connection)
    return _verdict(connection, test, mutant, test.expected_rows(connection)) != "lives"


def _verdict(
    connection: duckdb.DuckDBPyConnection, test: UnitTest, mutant: Mutant, expected: Rows
) -> str:
    try:
        rows = test.rows(connection, test.sql(mutant))
    except _INVALID:
        return "invalid"
    except duckdb.Error:
        return "killed"
    return "lives" if rows == expected else "killed"


def equivalent() -> dict[str, str]:
    """Mutants that no rows can tell from the model: `model: name`, and the reason."""
    return {
        f"{model}: {name}": entry["because"]
        for entry in yaml.safe_load(EQUIVALENT.read_text("utf-8"))
        for model, names in entry["mutants"].items()
        for name in names
    }


def summary(outcomes: Sequence[Outcome], known: Mapping[str, str]) -> Report:
    """Count, and name what lives; an equivalent mutant that does not live is wrongly listed."""
    living = {f"{outcome.model}: {name}" for outcome in outcomes for name in outcome.alive}
    killed = sum(len(outcome.killed) for outcome in outcomes)
    missed = sorted(living - known.keys())
    stale = sorted(known.keys() - living)
    return Report(
        [
            f"{outcome.model}: {len(outcome.killed)} killed"
            for outcome in sorted(outcomes, key=lambda outcome: outcome.model)
        ]
        + [f"lives: {name}" for name in missed]
        + [f"listed as equivalent, and is not: {name}" for name in stale]
        + [
            f"{killed} of {killed + len(missed)} mutants killed, "
            f"{len(known)} more are equivalent (tests/mutation/equivalent.yml)"
        ],
        good=not missed and not stale,
    )
