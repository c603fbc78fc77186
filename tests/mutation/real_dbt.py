"""Mutants through dbt itself: shows on a sample that the short way says what dbt says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.mutation.operators import Mutant, mutants
from tests.mutation.unit_tests import UnitTest

PROJECT = Path(__file__).resolve().parents[2]
PARTS = ("models", "macros", "seeds", "tests/dbt", "profiles", "dbt_project.yml")

RunTests = Callable[[Path, list[str]], str]
"""Runs the named unit tests of a project with dbt; what it printed."""


def copy_project(target: Path) -> Path:
    """A copy of all that dbt reads."""
    for part in PARTS:
        if (PROJECT / part).is_dir():
            shutil.copytree(PROJECT / part, target / part)
        else:
            shutil.copy(PROJECT / part, target / part)
    return target


def sample(tests: Iterable[UnitTest], turn: int) -> dict[str, tuple[UnitTest, Mutant]]:
    """One mutant and one of its unit tests for each model, others at each turn."""
    by_model: dict[str, list[UnitTest]] = {}
    for test in tests:
        by_model.setdefault(test.model, []).append(test)
    chosen = {}
    for model, of_model in by_model.items():
        test = of_model[turn % len(of_model)]
        every = list(mutants(test.steps))
        chosen[model] = (test, every[(turn + 1) * 37 % len(every)])
    return chosen


def verdicts(
    chosen: dict[str, tuple[UnitTest, Mutant]], project: Path, run_tests: RunTests
) -> dict[str, bool]:
    """Whether dbt finds each unit test failing with its mutant in the model's place."""
    for model, (test, mutant) in chosen.items():
        (file,) = project.glob(f"models/**/{model}.sql")
        file.write_text(_as_model(test.sql(mutant), file), "utf-8")
    printed = run_tests(project, [test.name for test, _ in chosen.values()])
    passed = set(re.findall(r"PASS \w+::(\w+)", printed))
    return {model: test.name not in passed for model, (test, _) in chosen.items()}


def _as_model(sql: str, file: Path) -> str:
    """The compiled SQL with the inputs of the unit test as refs and sources again."""
    text = file.read_text("utf-8")
    for call in re.findall(r"\{\{ (?:ref|source)\([^)]*\) \}\}", text):
        name = re.findall(r"'(\w+)'", call)[-1]
        sql = re.sub(rf"\b__dbt__cte__(?:\w+__)?{name}\b", call, sql)
    return sql
