"""Suppressions: what is known and wanted, out of the open lists until a day, and in every table."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from analyst.actions import Action, Kind, checked_text, to_json
from analyst.selectors import Row, address_test, comparison
from analyst.store import SqliteStore
from spot_oa.dates import Slice, parse_date
from spot_oa.errors import StoreError, UsageError, printable
from spot_oa.pipelines import Comparison, Pipeline
from spot_oa.publish import newest_published, published_days, published_folder
from spot_oa.settings import Settings
from spot_oa.warehouse.published import read_rows

DEFAULT_DAYS, MOST_DAYS = 90, 365
"""For how long a suppression holds if nobody says so, and at the most."""
HIT_DAYS = 30
"""In how many of the last days a suppression that is of use has covered something."""
MATCHES: Mapping[str, tuple[Comparison, ...]] = {
    "cidr": ("address",),
    "suffix": ("name",),
    "prefix": ("text",),
    "exact": ("address", "name", "text", "port"),
}
"""How a suppression matches -> the kinds of columns that it can be about."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """One suppression of a pipeline.

    Attributes:
        id: The action that made it.
        column: Of the scores.
        match: One of `MATCHES`.
        value: A network, an ending of names, a beginning of URIs, or a value.
        reason: Why.
        author: Whose it is.
        first: The first day on which it holds.
        last: The last one.
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
        """As people see it."""
        return self.id[:8]

    def holds_on(self, day: dt.date) -> bool:
        """Whether it acts on the rows of a day."""
        return self.first <= day <= self.last

    def __str__(self) -> str:
        return (
            f"{self.short_id} {self.column} {self.match} {printable(self.value)}, {self.first} to "
            f"{self.last}, by {printable(self.author)}: {printable(self.reason)}"
        )


def columns_of(pipeline: Pipeline) -> dict[str, Comparison]:
    """The columns that can be suppressed by, and how their values compare."""
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
    """What is kept of a suppression that somebody asks for.

    Args:
        pipeline: Whose rows.
        asked: `column`, and one of `MATCHES` with its value.
        reason: Why; needed.
        today: Holds from this day on if `first` is None.
        first: The first day.
        last: The last day; `DEFAULT_DAYS` after the first one if None.

    Raises:
        UsageError: It has no reason, or something of it cannot be meant.
    """
    columns = columns_of(pipeline)
    column = asked.get("column", "")
    if column not in columns:
        raise UsageError(
            f"rows of {pipeline.name} are not suppressed by {printable(column)!r}: take one of "
            f"{', '.join(columns)}"
        )
    given = {name: text for name, text in asked.items() if name in MATCHES}
    if len(given) != 1:
        raise UsageError(f"say what is suppressed by one of {', '.join(MATCHES)}")
    ((match, value),) = given.items()
    if columns[column] not in MATCHES[match]:
        fits = [name for name, kinds in MATCHES.items() if columns[column] in kinds]
        raise UsageError(f"{column} is not compared by {match}: take {' or '.join(fits)}")
    # A beginning that is empty begins everything.
    empty = not value.strip().strip(".")
    no_network = match == "cidr" and address_test(value) is None
    no_port = columns[column] == "port" and not re.fullmatch("[0-9]{1,5}", value)
    if empty or no_network or no_port:
        raise UsageError(f"{match} {printable(value)!r} suppresses nothing: correct it")
    if not reason.strip():
        raise UsageError(
            "a suppression needs a reason: say who asked for it, or why it is harmless"
        )
    checked_text("note", reason)
    checked_text("text", value)
    begins = parse_date(first) if first is not None else today
    ends = parse_date(last) if last is not None else begins + dt.timedelta(days=DEFAULT_DAYS)
    if not begins <= ends <= begins + dt.timedelta(days=MOST_DAYS):
        raise UsageError(
            f"a suppression from {begins} to {ends} does not hold for 0 to {MOST_DAYS} days: name "
            "an earlier end; it can be made again then"
        )
    return {
        "column": column,
        "match": match,
        "value": value,
        "first": begins.isoformat(),
        "last": ends.isoformat(),
    }


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
        UsageError: The same thing is suppressed for those days already.
        StoreError: It could not be written.
    """
    action = Action(
        author, made_with, pipeline.name, None, Kind.SUPPRESS, note=reason, payload=to_json(kept)
    )

    def decide(actions: Sequence[Action]) -> Action:
        alike = [each for each in actions if each.payload == action.payload]
        there = {each.id for each in standing(actions)} & {each.action_id for each in alike}
        if there:
            raise UsageError(f"suppression {min(there)[:8]} is the same: nothing was written")
        return action

    store.append(pipeline.name, None, decide)
    return _read(action)


def unsuppress(
    store: SqliteStore, action_id: str, *, author: str, made_with: str, note: str = ""
) -> Suppression:
    """Take a suppression back, by the beginning of its id.

    Raises:
        UsageError: There is no such suppression, or it was taken back already.
        StoreError: It could not be written.
    """
    asked = store.find(action_id)
    if asked.kind != Kind.SUPPRESS:
        raise UsageError(
            f"action {asked.short_id} is no suppression: `spot-oa suppressions` lists them"
        )

    def decide(actions: Sequence[Action]) -> Action:
        if asked.action_id not in {each.id for each in standing(actions)}:
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
    return _read(asked)


def hits(settings: Settings, pipeline: str, days: int = HIT_DAYS) -> Counter[str]:
    """How many rows of the last published days each suppression has covered, by its id."""
    found: Counter[str] = Counter()
    newest = newest_published(settings.data_dir, pipeline)
    for date in published_days(settings.triage_dir, pipeline):
        if newest is not None and newest - date < dt.timedelta(days=days):
            file = published_folder(settings.triage_dir, Slice(pipeline, date))
            with contextlib.suppress(OSError):
                rows = read_rows(file / f"{pipeline}_triage.parquet")
                found.update(str(row["suppression_id"]) for row in rows if row["suppressed"])
    return found


def standing(actions: Iterable[Action]) -> list[Suppression]:
    """The suppressions that nobody has taken back, whatever their days.

    Raises:
        StoreError: One of them cannot be read.
    """
    every = list(actions)
    gone = {action.refers_to for action in every if action.kind == Kind.UNSUPPRESS}
    return [
        _read(action)
        for action in every
        if action.kind == Kind.SUPPRESS and action.action_id not in gone
    ]


def on_day(store: SqliteStore, pipeline: Pipeline, day: dt.date) -> list[Suppression]:
    """The suppressions that act on the rows of a day."""
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
    """Which suppressions cover which rows, by the rows' places."""
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
