"""Suppressions: keep known and wanted traffic out of the open lists until a given day.

Suppressed rows stay in every table.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyst.actions import Action, Kind, checked_text, to_json
from analyst.selectors import Row, address_test, comparison
from spot_oa.dates import Slice, parse_date
from spot_oa.errors import StoreError, UsageError, printable
from spot_oa.pipelines import Comparison, Pipeline
from spot_oa.publish import newest_published, published_days, published_folder
from spot_oa.settings import Settings
from spot_oa.warehouse.published import read_rows

if TYPE_CHECKING:
    # The store itself checks the suppressions that it imports.
    from analyst.store import SqliteStore

DEFAULT_DAYS, MOST_DAYS = 90, 365
"""Default and maximum duration of a suppression, in days."""
HIT_DAYS = 30
"""Number of recent days in which a useful suppression must have covered a row."""
MATCHES: Mapping[str, tuple[Comparison, ...]] = {
    "cidr": ("address",),
    "suffix": ("name",),
    "prefix": ("text",),
    "exact": ("address", "name", "text", "port"),
}
"""Kind of match -> the kinds of columns that it can be used with."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """One suppression of a pipeline.

    Attributes:
        id: The action that made it.
        column: A column of the scores.
        match: One of `MATCHES`.
        value: A network, the end of a name, the beginning of a URI, or an exact value.
        reason: Why the rows are suppressed.
        author: Who made the suppression.
        first: The first day of the suppression.
        last: The last day of the suppression.
    """

    id: str
    column: str
    match: str
    value: str
    reason: str
    author: str
    first: dt.date
    last: dt.date

    @property
    def short_id(self) -> str:
        """The short form of the id, as shown to people."""
        return self.id[:8]

    def holds_on(self, day: dt.date) -> bool:
        """Whether the suppression is in effect on a day."""
        return self.first <= day <= self.last

    def __str__(self) -> str:
        return (
            f"{self.short_id} {self.column} {self.match} {printable(self.value)}, {self.first} to "
            f"{self.last}, by {printable(self.author)}: {printable(self.reason)}"
        )


def columns_of(pipeline: Pipeline) -> dict[str, Comparison]:
    """Return the columns that suppressions may use, and how their values compare."""
    return pipeline.triage.compared if pipeline.triage else {}


def suppression(
    pipeline: Pipeline,
    asked: Mapping[str, str],
    *,
    reason: str,
    today: dt.date,
    first: object = None,
    last: object = None,
) -> dict[str, str]:
    """Check a requested suppression and return it in the form in which it is stored.

    Args:
        pipeline: The pipeline of the rows.
        asked: `column`, and one of `MATCHES` with its value.
        reason: Why the rows are suppressed; required.
        today: The default of the first day.
        first: The first day; `today` if None.
        last: The last day; `DEFAULT_DAYS` after the first one if None.

    Raises:
        UsageError: The reason is missing, or a value is invalid.
    """
    columns = columns_of(pipeline)
    column = asked.get("column", "")
    if column not in columns:
        raise UsageError(
            f"rows of {pipeline.name} cannot be suppressed by {printable(column)!r}: use one of "
            f"{', '.join(columns)}"
        )
    given = {name: text for name, text in asked.items() if name in MATCHES}
    if len(given) != 1:
        raise UsageError(f"give what to suppress by exactly one of {', '.join(MATCHES)}")
    ((match, value),) = given.items()
    if columns[column] not in MATCHES[match]:
        fits = [name for name, kinds in MATCHES.items() if columns[column] in kinds]
        raise UsageError(f"{column} cannot be compared by {match}: use {' or '.join(fits)}")
    # An empty prefix would match every value.
    empty = not value.strip().strip(".")
    no_network = match == "cidr" and address_test(value) is None
    no_port = columns[column] == "port" and not re.fullmatch("[0-9]{1,5}", value)
    if empty or no_network or no_port:
        raise UsageError(f"{match} {printable(value)!r} suppresses nothing: correct it")
    if not reason.strip():
        raise UsageError(
            "a suppression needs a reason: give who asked for it, or why it is harmless"
        )
    checked_text("note", reason)
    checked_text("text", value)
    begins = parse_date(first) if first is not None else today
    ends = parse_date(last) if last is not None else begins + dt.timedelta(days=DEFAULT_DAYS)
    if not begins <= ends <= begins + dt.timedelta(days=MOST_DAYS):
        raise UsageError(
            f"a suppression from {begins} to {ends} is not within 0 to {MOST_DAYS} days: correct "
            "its first or last day; it can be made again when it ends"
        )
    return {
        "column": column,
        "match": match,
        "value": value,
        "first": begins.isoformat(),
        "last": ends.isoformat(),
    }


def check_suppression(pipeline: Pipeline, action: Action) -> None:
    """Check that an action holds a suppression as `suppression` returns it.

    Raises:
        UsageError: It does not.
    """
    payload = printable(str(action.payload)[:200])
    wrong = UsageError(f"payload {payload} is not a suppression")
    try:
        kept = json.loads(action.payload or "")
    except ValueError:
        raise wrong from None
    if (
        not isinstance(kept, dict)
        or set(kept) != {"column", "match", "value", "first", "last"}
        or not all(isinstance(value, str) for value in kept.values())
        or kept["match"] not in MATCHES
    ):
        raise wrong
    asked = {"column": kept["column"], kept["match"]: kept["value"]}
    reason, first, last = action.note or "", kept["first"], kept["last"]
    if kept != suppression(
        pipeline, asked, reason=reason, today=dt.date.min, first=first, last=last
    ):
        raise wrong


def suppress(
    store: SqliteStore,
    pipeline: Pipeline,
    kept: Mapping[str, str],
    *,
    reason: str,
    author: str,
    made_with: str,
) -> Suppression:
    """Write a suppression that `suppression` has checked.

    Raises:
        UsageError: The same suppression exists already.
        StoreError: The suppression could not be written.
    """
    action = Action(
        author, made_with, pipeline.name, None, Kind.SUPPRESS, note=reason, payload=to_json(kept)
    )

    def decide(actions: Sequence[Action]) -> Action:
        there = {each.action_id for each in _standing(actions) if each.payload == action.payload}
        if there:
            raise UsageError(f"suppression {min(there)[:8]} already exists: nothing was written")
        return action

    store.append(pipeline.name, None, decide)
    return _read(action)


def unsuppress(
    store: SqliteStore, action_id: str, *, author: str, made_with: str, note: str = ""
) -> Suppression | None:
    """Take back a suppression, given by the beginning of its id.

    Returns:
        The suppression; None if it cannot be read.

    Raises:
        UsageError: There is no such suppression, or it was taken back already.
        StoreError: The action could not be written.
    """
    asked = store.find(action_id)
    if asked.kind != Kind.SUPPRESS:
        raise UsageError(
            f"action {asked.short_id} is not a suppression: `spot-oa suppressions` lists them"
        )

    def decide(actions: Sequence[Action]) -> Action:
        if asked.action_id not in {each.action_id for each in _standing(actions)}:
            raise UsageError(f"suppression {asked.short_id} was taken back already")
        return Action(
            author,
            made_with,
            asked.pipeline,
            None,
            Kind.UNSUPPRESS,
            note=note or None,
            refers_to=asked.action_id,
        )

    store.append(asked.pipeline, None, decide)
    try:
        return _read(asked)
    except StoreError:
        return None


def hits(settings: Settings, pipeline: str, days: int = HIT_DAYS) -> Counter[str]:
    """Count the rows of recent published days that each suppression covered, by its id."""
    found: Counter[str] = Counter()
    newest = newest_published(settings.data_dir, pipeline)
    for date in published_days(settings.triage_dir, pipeline):
        if newest is not None and newest - date < dt.timedelta(days=days):
            file = published_folder(settings.triage_dir, Slice(pipeline, date))
            with contextlib.suppress(OSError):
                rows = read_rows(file / f"{pipeline}_triage.parquet")
                # Triage of an early version has no such column.
                found.update(str(row["suppression_id"]) for row in rows if row.get("suppressed"))
    return found


def standing(actions: Iterable[Action]) -> list[Suppression]:
    """Return the suppressions that were not taken back, whatever their days.

    Raises:
        StoreError: A suppression cannot be read.
    """
    return [_read(action) for action in _standing(actions)]


def _standing(actions: Iterable[Action]) -> list[Action]:
    every = list(actions)
    gone = {action.refers_to for action in every if action.kind == Kind.UNSUPPRESS}
    return [
        action for action in every if action.kind == Kind.SUPPRESS and action.action_id not in gone
    ]


def on_day(store: SqliteStore, pipeline: Pipeline, day: dt.date) -> list[Suppression]:
    """Return the suppressions in effect on a day."""
    return [each for each in standing(store.undated(pipeline.name)) if each.holds_on(day)]


def _read(action: Action) -> Suppression:
    try:
        kept = json.loads(action.payload or "")
        return Suppression(
            action.action_id,
            str(kept["column"]),
            str(kept["match"]),
            str(kept["value"]),
            action.note or "",
            action.author,
            dt.date.fromisoformat(kept["first"]),
            dt.date.fromisoformat(kept["last"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"suppression {action.short_id} cannot be read ({printable(error)}): take it back with "
            f"`spot-oa unsuppress {action.short_id}`"
        ) from None


def covering(
    pipeline: Pipeline, suppressions: Sequence[Suppression], rows: Sequence[Row]
) -> dict[int, list[Suppression]]:
    """Return the suppressions that cover each row, by the row's position."""
    columns = columns_of(pipeline)
    found: dict[int, list[Suppression]] = {}
    for each in suppressions:
        if each.column not in columns:
            continue  # The pipeline's description has changed since.
        covers = _test(each, columns[each.column])
        for place, row in enumerate(rows):
            if covers(row[each.column]):
                found.setdefault(place, []).append(each)
    return found


def _test(each: Suppression, kind: Comparison) -> Callable[[object], bool]:
    if each.match == "prefix":
        return lambda value: value is not None and str(value).startswith(each.value)
    return comparison("suffix" if each.match == "suffix" else kind, each.value)
