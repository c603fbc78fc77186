"""The project's unit tests as dbt compiled them: given rows, the model's SQL, expected rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb
import sqlglot
import yaml
from sqlglot import exp

from tests.mutation.operators import Mutant

Rows = Counter[tuple[object, ...]]

_ACTUAL = re.compile(
    r"select\s+(?P<columns>[^']*), 'actual' as \"actual_or_expected\"\s+from \(\n"
    r"(?P<body>.*)\n  \) _dbt_internal_unit_test_actual\n",
    re.DOTALL,
)
_EXPECTED = re.compile(
    r"'expected' as \"actual_or_expected\"\s+from \(\n(?P<body>.*)"
    r"\n  \) _dbt_internal_unit_test_expected\n",
    re.DOTALL,
)
_FIXTURE = "__dbt__cte__"


@dataclass(frozen=True)
class UnitTest:
    """One unit test, without what only serves to compare."""

    name: str
    model: str
    columns: str
    """Those that the test compares, as a select list."""
    fixtures: dict[str, str]
    steps: dict[str, exp.Expression]
    """The model's own SQL, which reads the fixtures by name: its CTEs, and `final`."""
    expected: str

    @classmethod
    def read(cls, model: str, file: Path) -> UnitTest:
        """Read the SQL that dbt ran for a unit test."""
        sql = file.read_text("utf-8")
        actual, expected = _ACTUAL.search(sql), _EXPECTED.search(sql)
        if not actual or not expected:
            raise ValueError(f"{file}: not as dbt-core 1.11 writes a unit test")
        tree = sqlglot.parse_one(actual["body"], dialect="duckdb")
        fixtures, steps = {}, {}
        for cte in tree.args["with_"].expressions:
            if cte.alias.startswith(_FIXTURE):
                fixtures[cte.alias] = cte.this.sql("duckdb")
            else:
                steps[cte.alias] = cte.this
        tree.set("with_", None)
        return cls(
            name=file.stem,
            model=model,
            columns=actual["columns"],
            fixtures=fixtures,
            steps={**steps, "final": tree},
            expected=expected["body"],
        )

    @cached_property
    def _plain(self) -> dict[str, str]:
        return {name: step.sql("duckdb") for name, step in self.steps.items()}

    def sql(self, mutant: Mutant | None = None) -> str:
        """The model's SQL, as it is or broken."""
        parts = dict(self._plain)
        if mutant:
            parts[mutant.step] = mutant.broken(self.steps[mutant.step]).sql("duckdb", copy=False)
        final = parts.pop("final")
        ctes = ", ".join(f"{name} as ({sql})" for name, sql in parts.items())
        return f"with {ctes} {final}" if ctes else final

    def give(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the given rows, in place of those of another test."""
        for name, rows in self.fixtures.items():
            connection.execute(f"create or replace temp table {name} as {rows}")

    def rows(self, connection: duckdb.DuckDBPyConnection, sql: str) -> Rows:
        """What the model's SQL makes of the given rows."""
        return Counter(connection.execute(f"select {self.columns} from ({sql})").fetchall())

    def expected_rows(self, connection: duckdb.DuckDBPyConnection) -> Rows:
        """What it shall make of them."""
        if "from dbt_internal_unit_test_actual" in self.expected:
            return Counter()  # dbt's way to spell no rows
        return Counter(
            connection.execute(f"select {self.columns} from ({self.expected})").fetchall()
        )


def read_unit_tests(project: Path, target: Path) -> Iterator[UnitTest]:
    """Every unit test of the project that dbt has run.

    Args:
        project: Its models say which test is of which model.
        target: dbt's target folder after `dbt test --select test_type:unit`.
    """
    ran = {file.stem: file for file in (target / "run").rglob("*__unit_tests.yml/**/*.sql")}
    for described in sorted((project / "models").rglob("*__unit_tests.yml")):
        for test in yaml.safe_load(described.read_text("utf-8"))["unit_tests"]:
            if test["name"] in ran:
                yield UnitTest.read(test["model"], ran[test["name"]])
