"""What every enricher is: indicators in, rows out.

An enricher is loaded once per run from the settings, before anything is written, so that a broken
source is found while the slice is still as it was. It never opens the warehouse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import pandas as pd

from spot_oa.pipelines import IndicatorType, Type
from spot_oa.warehouse.tables import YMD, Table, declared

Indicators = Mapping[IndicatorType, Sequence[str]]
"""Distinct indicators of a slice by kind, most suspicious first, never NULL."""


_DTYPES: Mapping[Type, str] = {
    "string": "str",
    "int": "Int32",
    "bigint": "Int64",
    "double": "float64",
    "timestamp": "datetime64[us]",
}


def lookup_table(
    name: str,
    description: str,
    columns: Mapping[str, Type | tuple[Type, str]],
    *,
    key: Sequence[str],
) -> Table:
    """Declare a lookup table; see `declared`.

    Args:
        name: What it is called in schema lookups.
        description: Begins with the grain: `One row per ...`.
        columns: Column -> type, or type and description.
        key: What a slice has one row of: marts join on it.
    """
    return declared("lookups", name, description, columns, key)


def lookup_frame(table: Table, columns: Mapping[str, Iterable[object]]) -> pd.DataFrame:
    """Make rows of a lookup table with the types that the table has, also where there are none.

    Args:
        table: The table.
        columns: Values by column, equally many; None is NULL, and so is a column left out.

    Returns:
        One row per value, with all columns of the table but those of the slice.
    """
    given = {name: list(values) for name, values in columns.items()}
    index = pd.RangeIndex(max(map(len, given.values()), default=0))
    return pd.DataFrame(
        {
            name: pd.Series(given.get(name), index=index, dtype=_DTYPES[kind])
            for name, kind in table.columns.items()
            if name != "pipeline" and name not in YMD
        }
    )


class Status(StrEnum):
    """How a source fared, or a question to one."""

    OK = "ok"
    ANSWERED = "answered"
    NOT_FOUND = "not found"
    NOT_ASKED = "not asked"
    """It must not be sent, or budget or time was spent."""
    PARTIAL = "partial"
    """It was not asked for all: its budget or its time was spent."""
    STALE = "stale"
    """It could not be renewed, an older copy was used."""
    UNAVAILABLE = "unavailable"
    UNAUTHORISED = "unauthorised"
    MALFORMED = "malformed"
    TIMEOUT = "timeout"
    FAILED = "failed"

    @property
    def of_source(self) -> Status:
        """How a source fared of which a question has fared so."""
        return Status.PARTIAL if self is Status.NOT_ASKED else self


class SourceError(Exception):
    """A source outside could not be used; the run goes on without it.

    The reason is one line, and never has a key, a header or a query in it.
    """

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one source in one run; shown in the run's summary.

    `asked` and `found` count distinct indicators; `skipped` counts lines of a local file that
    could not be used (headers and blank lines are not among them). `first_skipped` is the first of
    them and why ("line 7: 'x' is not an address"), set if they are more than a tenth of the file.
    """

    source: str
    status: Status = Status.OK
    asked: int = 0
    found: int = 0
    skipped: int = 0
    first_skipped: str = ""
    detail: str = ""
    attribution: str = ""
    """What its licence wants said wherever its data is shown."""


@dataclass(frozen=True, slots=True)
class Enrichment:
    """Rows by lookup table, without the slice columns, and what became of each source."""

    tables: Mapping[str, pd.DataFrame]
    outcomes: Sequence[Outcome] = field(default=())


class Enricher(Protocol):
    """A step of the run, named as under `enrich` in the pipeline descriptions."""

    def enrich(self, indicators: Indicators) -> Enrichment:
        """Look the indicators up.

        Args:
            indicators: Those of the slice, of the kinds that the pipeline names for this step.

        Returns:
            One row per indicator in the step's lookup table, found or not, and the outcomes.
        """
        ...
