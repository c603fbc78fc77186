"""The rules once more: slow, obvious, row by row, without SQL and without the project's code.

Written from docs/decisions.md, the README and the pages of the pipelines, never from the models.
What the rules leave open is not decided here either: days are generated within what they say.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.oracle import dns, flow, proxy
from tests.support.oracle.context import Context
from tests.support.oracle.results import Landed, take
from tests.support.project import PROJECT
from tests.support.published_columns import released

COLUMNS = released(PROJECT)
"""The columns that the rules cover, by table: those of the last release."""

Row = dict[str, Any]
Tables = Mapping[str, list[Row]]

MARTS: Mapping[str, Callable[[Landed, list[Row], Context, dt.date], Tables]] = {
    "flow": flow.marts,
    "proxy": proxy.marts,
    "dns": dns.marts,
}


@dataclass(frozen=True)
class Day:
    """The input of a run of a date."""

    pipeline: str
    date: dt.date
    limit: int
    results: bytes
    telemetry: list[Row]
    """Raw rows by column, with the partition y, m, d, h as integers."""
    context: Mapping[str, bytes] = field(default_factory=dict)
    """Files of the context folder by name, `reputation/<service>.csv` among them."""


def expected(day: Day) -> dict[str, list[tuple[Any, ...]]]:
    """What the published tables must hold for the day in the columns of the last release.

    Columns are in order, rows in any order.
    """
    landed = take(day.pipeline, day.results, day.limit)
    ymd = (day.date.year, day.date.month, day.date.day)
    raw = [row for row in day.telemetry if (row["y"], row["m"], row["d"]) == ymd]
    made = MARTS[day.pipeline](landed, raw, Context(day.context), day.date)
    for table, rows in made.items():
        assert all([*row, "y", "m", "d"] == list(COLUMNS[table]) for row in rows), table
    return {table: [(*row.values(), *ymd) for row in rows] for table, rows in made.items()}
