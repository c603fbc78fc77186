"""Describes what a day and other days know about a row's addresses, names and URIs."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analyst.pictures.text import many
from analyst.selectors import Row, fold
from spot_oa.errors import printable
from spot_oa.pipelines import Pipeline

_COMPARED = ("address", "name", "text")
_ENDS = {"srcip": "dstip", "dstip": "srcip"}

Identity = tuple[str, str]
"""The kind of comparison, and the value in its compared form."""


@dataclass(frozen=True, slots=True)
class Label:
    """A scored row of another day.

    Attributes:
        date: The day.
        pipeline: The pipeline of the row.
        row: The row.
        text: The label and its author.
    """

    date: dt.date
    pipeline: Pipeline
    row: Row
    text: str


@dataclass(frozen=True, slots=True)
class Before:
    """What other days know about addresses, names and URIs.

    Attributes:
        span: Number of days looked back.
        days: The published days among them, earliest first.
        seen: Value -> the days on which it is in a suspicious row.
        judged: Value -> the day and text of each of its labels, of every pipeline.
    """

    span: int
    days: Sequence[dt.date]
    seen: Mapping[Identity, Sequence[dt.date]]
    judged: Mapping[Identity, Sequence[tuple[dt.date, str]]]


class Known:
    """Describes any row of a day."""

    def __init__(self, pipeline: Pipeline, rows: Iterable[Row], before: Before) -> None:
        """Count what the day's rows have in common.

        Args:
            pipeline: The pipeline of the rows.
            rows: All rows of the day.
            before: What other days know.
        """
        self._kinds, self._before = _kinds(pipeline), before
        self._rows: Counter[tuple[str, str]] = Counter()
        self._peers: dict[tuple[str, str], set[str]] = {}
        for row in rows:
            values = _values(self._kinds, row)
            self._rows.update(values.items())
            for column, other in _ENDS.items():
                if column in values and other in values:
                    self._peers.setdefault((column, values[column]), set()).add(values[other])

    def of(self, row: Row) -> dict[str, list[str]]:
        """Return the lines of each topic: the same day, earlier days, labels on other days."""
        values = _values(self._kinds, row)
        wanted = {_identity(value, self._kinds[name]): value for name, value in values.items()}
        return {
            "that day": [self._that_day(name, value) for name, value in values.items()],
            "seen": self._seen(wanted),
            "labelled": self._labelled(wanted),
        }

    def _that_day(self, column: str, value: str) -> str:
        peers = self._peers.get((column, value))
        others = "" if peers is None else f", {many(len(peers - {value}), 'other end')}"
        return f"{printable(value)}: {many(self._rows[column, value], 'row')} as {column}{others}"

    def _seen(self, wanted: Mapping[Identity, str]) -> list[str]:
        """Return when a value was first suspicious, and on how many published days."""
        days = self._before.days
        if not days:
            return [f"none of the {self._before.span} days before is published"]
        found = []
        for each, value in wanted.items():
            on = self._before.seen.get(each, ())
            first = f"first on {on[0]}, on {len(on)} of" if on else "on none of"
            found.append(f"{printable(value)}: {first} {many(len(days), 'published day')} before")
        return found

    def _labelled(self, wanted: Mapping[Identity, str]) -> list[str]:
        """Return labels of the same address, name or URI on other days: shown, never applied."""
        found = {
            f"{printable(value)}: {text}": date
            for each, value in wanted.items()
            for date, text in self._before.judged.get(each, ())
        }
        return sorted(found, key=lambda text: (-found[text].toordinal(), text))


def look_back(
    pipeline: Pipeline,
    span: int,
    days: Iterable[tuple[dt.date, Iterable[Row]]],
    labels: Iterable[Label],
) -> Before:
    """Gather what other days know about the values of any row of this day.

    Args:
        pipeline: The pipeline of the day.
        span: Number of days looked back.
        days: The published days with their rows, earliest first; held one at a time.
        labels: Scored rows of other days, of every pipeline.
    """
    kinds, dates = _kinds(pipeline), []
    seen: dict[Identity, list[dt.date]] = {}
    for date, rows in days:
        dates.append(date)
        for each in {identity for row in rows for identity in _identities(kinds, row)}:
            seen.setdefault(each, []).append(date)
    judged: dict[Identity, list[tuple[dt.date, str]]] = {}
    for label in labels:
        entry = label.date, f"{label.text} ({label.pipeline.name} {label.date})"
        for each in _identities(_kinds(label.pipeline), label.row):
            judged.setdefault(each, []).append(entry)
    return Before(span, dates, seen, judged)


def label_text(severity: str, by: str, at: str = "", note: str = "") -> str:
    """Format a label: `High, by ann at 2016-07-09 08:55: exfiltration`."""
    when = f" at {at[:16].replace('T', ' ')}" if at else ""
    why = f": {printable(note)}" if note else ""
    return f"{severity}, by {printable(by)}{when}{why}"


def standing(score: str, behind: int, rows: int) -> str:
    """Format a score with the number of the day's rows that rank after it."""
    return f"{score}; before {behind} of the day's {rows} rows ({100 * behind / rows:.1f} %)"


def _kinds(pipeline: Pipeline) -> dict[str, str]:
    """Return the columns of an event's addresses, names and URIs, and how they compare."""
    compared = pipeline.triage.compared if pipeline.triage else {}
    return {column: kind for column, kind in compared.items() if kind in _COMPARED}


def _values(kinds: Mapping[str, str], row: Row) -> dict[str, str]:
    return {name: str(row[name]) for name in kinds if row.get(name)}


def _identities(kinds: Mapping[str, str], row: Row) -> list[Identity]:
    return [_identity(value, kinds[name]) for name, value in _values(kinds, row).items()]


def _identity(value: str, kind: str) -> Identity:
    return kind, fold(value) if kind == "name" else value
