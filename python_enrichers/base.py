"""The interface of enrichers: look up indicators, and return rows.

An enricher is loaded once per run from the settings, before anything is written, so that a broken
source fails the run while the slice is unchanged. It never opens the warehouse.
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
        name: The table's name in schema lookups.
        description: Begins with the grain: `One row per ...`.
        columns: Column -> type, or type and description.
        key: Columns whose values are unique within a slice; marts join on them.
    """
    return declared("lookups", name, description, columns, key)


def lookup_frame(table: Table, columns: Mapping[str, Iterable[object]]) -> pd.DataFrame:
    """Make rows of a lookup table with the table's types, also if there are no rows.

    Args:
        table: The table.
        columns: Column -> values, all of the same length; None and missing columns are NULL.

    Returns:
        One row per value, with all columns of the table except the slice columns.
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
    """The result of a source, or of a lookup in it."""

    OK = "ok"
    ANSWERED = "answered"
    NOT_FOUND = "not found"
    NOT_ASKED = "not asked"
    """The indicator must not be sent, or budget or time was used up."""
    PARTIAL = "partial"
    """Some indicators were not looked up: budget or time was used up."""
    STALE = "stale"
    """The source could not be refreshed; an older copy was used."""
    UNAVAILABLE = "unavailable"
    UNAUTHORISED = "unauthorised"
    MALFORMED = "malformed"
    TIMEOUT = "timeout"
    FAILED = "failed"

    @property
    def of_source(self) -> Status:
        """Return the status of a source with a lookup of this status."""
        return Status.PARTIAL if self is Status.NOT_ASKED else self


class SourceError(Exception):
    """An external source could not be used; the run continues without it.

    The reason is one line, and never contains a key, a header or a query.
    """

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one source in one run, for the run's summary.

    `asked` and `found` count distinct indicators; `skipped` counts invalid lines of a local file
    (not headers and blank lines). `first_skipped` is the first invalid line and the reason
    ("line 7: 'x' is not an address"), set if more than a tenth of the file is invalid.
    """

    source: str
    status: Status = Status.OK
    asked: int = 0
    found: int = 0
    skipped: int = 0
    first_skipped: str = ""
    detail: str = ""
    attribution: str = ""
    """Attribution that the licence requires wherever the data is shown."""


@dataclass(frozen=True, slots=True)
class Enrichment:
    """Rows by lookup table, without the slice columns, and the outcome of each source."""

    tables: Mapping[str, pd.DataFrame]
    outcomes: Sequence[Outcome] = field(default=())


class Enricher(Protocol):
    """A step of the run, named as under `enrich` in the pipeline descriptions."""

    def enrich(self, indicators: Indicators) -> Enrichment:
        """Look up indicators.

        Args:
            indicators: The indicators of the slice, of the kinds that the pipeline lists for the
                step.

        Returns:
            One row per indicator in the step's lookup table, found or not, and the outcomes.
        """
        ...
