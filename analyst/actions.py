"""One thing an analyst did, as it is kept, exported and shown."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum, StrEnum
from typing import Any

from spot_oa.errors import UsageError, printable


class Kind(StrEnum):
    """What was done."""

    LABEL = "label"
    CLEAR = "clear"
    UNDO = "undo"
    RESET = "reset"
    STORY = "story"
    UNSTORY = "unstory"
    NOTE = "note"
    ASSIGN = "assign"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"


class Via(StrEnum):
    """Who decided: a person about these rows, or a rule that a person applied."""

    HAND = "hand"
    RULE = "rule"


class Severity(IntEnum):
    """How bad; 0 is no judgement."""

    NOT_SCORED = 0
    HIGH = 1
    MEDIUM = 2
    LOW = 3

    @property
    def title(self) -> str:
        """As people read it."""
        return "not scored" if self == Severity.NOT_SCORED else self.name.capitalize()


LIMITS: Mapping[str, int] = {"author": 64, "note": 2000, "title": 200, "text": 20_000}
"""The most characters that a text of people may have."""

RowKey = tuple[str, str]
"""The key of a row, and the target of a label on it: `row`, `client` or `query`."""

_OF_THE_STORE = ("seq", "made_with")
"""What differs between two stores that hold the same action."""


@dataclass(frozen=True, slots=True)
class Action:
    """One row of the store's `actions`, and the rows that it matched.

    `seq` is the place in the store's order, 0 before the store has given one.
    """

    author: str
    made_with: str
    pipeline: str
    day: str | None
    kind: str
    severity: int | None = None
    via: str | None = None
    rule_id: str | None = None
    match_kind: str | None = None
    selector: str | None = None
    note: str | None = None
    refers_to: str | None = None
    payload: str | None = None
    seen_run_id: str | None = None
    seen_seq: int | None = None
    row_count: int = 0
    action_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    recorded_at: str = field(default_factory=lambda: timestamp(dt.datetime.now(dt.UTC)))
    seq: int = 0
    rows: frozenset[RowKey] = frozenset()

    @property
    def short_id(self) -> str:
        """As people see it."""
        return self.action_id[:8]

    def same_as(self, other: Action) -> bool:
        """Whether the two are one action, in whatever store."""
        return _content(self) == _content(other)


COLUMNS = tuple(entry.name for entry in fields(Action) if entry.name not in ("seq", "rows"))
"""The columns of the store's `actions` beside `seq`."""


def timestamp(moment: dt.datetime) -> str:
    """UTC, with microseconds and `Z`."""
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def checked_text(name: str, text: str) -> str:
    """A text that a person wrote, if it may be kept.

    Args:
        name: What it is, for the message; its limit is that of `LIMITS`.
        text: The text.

    Raises:
        UsageError: It is too long, or no text that UTF-8 can hold.
    """
    limit = LIMITS[name]
    if len(text) > limit:
        raise UsageError(f"{name} has {len(text)} characters, {limit} are allowed: shorten it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{name} {printable(text[:80])!r} is not UTF-8: correct it") from None
    return text


def parse_severity(text: object) -> Severity:
    """Read `high`, `medium`, `low`, or 1, 2, 3.

    Raises:
        UsageError: It is none of them.
    """
    names = {member.name.lower(): member for member in Severity if member}
    names |= {str(member.value): member for member in Severity if member}
    found = names.get(str(text).strip().lower())
    if found is None:
        raise UsageError(
            f"severity {printable(text)!r} is unknown: take high, medium or low (1, 2, 3)"
        )
    return found


def to_json(value: object) -> str:
    """JSON without blanks, non-ASCII as it is: one spelling for one value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def to_line(action: Action) -> str:
    """An action with its rows as one line of JSON, without the line's end."""
    values = {name: getattr(action, name) for name in ("seq", *COLUMNS)}
    # ASCII only: no character ends a line for one reader and not for another.
    return json.dumps(values | {"rows": sorted(action.rows)}, separators=(",", ":"))


def from_line(line: str) -> Action:
    """Read what `to_line` wrote.

    Raises:
        ValueError: It is no action.
    """
    values = json.loads(line)
    if not isinstance(values, dict) or set(values) != {"seq", *COLUMNS, "rows"}:
        raise ValueError("not the fields of an action")
    rows = values.pop("rows")
    if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
        raise ValueError("rows are pairs of a key and a target")
    return check(
        checked_types(Action(**values, rows=frozenset((key, target) for key, target in rows)))
    )


def checked_types(action: Action) -> Action:
    """The action, if its values are of the types that they should be.

    Raises:
        ValueError: One of them is not.
    """
    for name in ("seq", *COLUMNS):
        wanted = int if name in _NUMBERS else str
        value, optional = getattr(action, name), name not in _REQUIRED
        if not (isinstance(value, wanted) or (value is None and optional)):
            raise ValueError(f"{name} is no {wanted.__name__}")
    if action.kind not in set(Kind):
        raise ValueError(f"kind {action.kind!r} is unknown")
    if dt.datetime.fromisoformat(action.recorded_at).tzinfo is None:
        raise ValueError(f"recorded_at {action.recorded_at!r} has no zone")
    return action


def check(action: Action) -> Action:
    """The action, if its author, note and severity may be kept.

    Raises:
        UsageError: One of them may not.
    """
    if not action.author.strip():
        raise UsageError("nobody is named as the author: set SPOT_OA_AUTHOR")
    checked_text("author", action.author)
    checked_text("note", action.note or "")
    allowed: tuple[int | None, ...] = {Kind.LABEL: (1, 2, 3), Kind.CLEAR: (0,)}.get(
        Kind(action.kind), (None,)
    )
    if action.severity not in allowed:
        raise UsageError(f"severity {action.severity} does not go with {action.kind}")
    return action


def with_rows(action: Action, rows: Iterable[RowKey], row_count: int) -> Action:
    """The action on rows: their distinct keys, and how many rows of the day they are."""
    return replace(action, rows=frozenset(rows), row_count=row_count)


_NUMBERS = ("seq", "severity", "seen_seq", "row_count")
_REQUIRED = (
    *("seq", "action_id", "recorded_at", "author", "made_with", "pipeline", "kind", "row_count"),
)
_ROW = 2


def _is_row(row: object) -> bool:
    return isinstance(row, list) and len(row) == _ROW and all(isinstance(p, str) for p in row)


def _content(action: Action) -> dict[str, Any]:
    return {
        entry.name: getattr(action, entry.name)
        for entry in fields(action)
        if entry.name not in _OF_THE_STORE
    }
