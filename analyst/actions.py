"""An analyst's action, as it is stored, exported and shown."""

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
    """The kind of an action."""

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
    """How rows were labelled: by a person directly, or by a rule that a person applied."""

    HAND = "hand"
    RULE = "rule"


class Severity(IntEnum):
    """The severity of a row; 0 means that it is not scored."""

    NOT_SCORED = 0
    HIGH = 1
    MEDIUM = 2
    LOW = 3

    @property
    def title(self) -> str:
        """The name shown to people."""
        return "not scored" if self == Severity.NOT_SCORED else self.name.capitalize()


LIMITS: Mapping[str, int] = {"author": 64, "note": 2000, "title": 200, "text": 20_000}
"""Maximum number of characters of each text that people write."""

TOP_RESULTS = 20
"""Default number of peers per direction in the tables of a story."""
MOST_RESULTS = 1000

RowKey = tuple[str, str]
"""The key of a row, and the target of a label on it: `row`, `client` or `query`."""

_OF_THE_STORE = ("seq", "made_with")
"""The fields that may differ between two stores that hold the same action."""


@dataclass(frozen=True, slots=True)
class Action:
    """One row of the store's `actions`, and the rows that it matched.

    `seq` is the action's position in the store, 0 until the store has assigned one.
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
        """The short form of the id, as shown to people."""
        return self.action_id[:8]

    def same_as(self, other: Action) -> bool:
        """Whether both are the same action, possibly in different stores."""
        return _content(self) == _content(other)


COLUMNS = tuple(entry.name for entry in fields(Action) if entry.name not in ("seq", "rows"))
"""The columns of the store's `actions`, without `seq`."""


def timestamp(moment: dt.datetime) -> str:
    """Format a moment in UTC, with microseconds and `Z`."""
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def checked_text(name: str, text: str) -> str:
    """Return a text that a person wrote, if it can be stored.

    Args:
        name: The name of the text in messages; its limit is in `LIMITS`.
        text: The text.

    Raises:
        UsageError: The text is too long, or cannot be encoded as UTF-8.
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
    """Parse `high`, `medium`, `low`, or 1, 2, 3.

    Raises:
        UsageError: The value is none of them.
    """
    names = {member.name.lower(): member for member in Severity if member}
    names |= {str(member.value): member for member in Severity if member}
    found = names.get(str(text).strip().lower())
    if found is None:
        raise UsageError(
            f"severity {printable(text)!r} is unknown: use high, medium or low (1, 2, 3)"
        )
    return found


def to_json(value: object) -> str:
    """Format a value as JSON without blanks and without escaping non-ASCII characters."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def to_line(action: Action) -> str:
    """Format an action with its rows as one line of JSON, without the newline."""
    values = {name: getattr(action, name) for name in ("seq", *COLUMNS)}
    # ASCII only: readers differ in which other characters end a line.
    return json.dumps(values | {"rows": sorted(action.rows)}, separators=(",", ":"))


def from_line(line: str) -> Action:
    """Parse a line that `to_line` wrote.

    Raises:
        ValueError: The line is not an action.
    """
    values = json.loads(line)
    if not isinstance(values, dict) or set(values) != {"seq", *COLUMNS, "rows"}:
        raise ValueError("not the fields of an action")
    try:
        to_json(values).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{error.object[error.start]!r} is not UTF-8") from None
    rows = values.pop("rows")
    if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
        raise ValueError("rows are pairs of a key and a target")
    return check(
        checked_types(Action(**values, rows=frozenset((key, target) for key, target in rows)))
    )


def checked_types(action: Action) -> Action:
    """Return the action if all its values have the right types.

    Raises:
        ValueError: A value has the wrong type.
    """
    for name in ("seq", *COLUMNS):
        wanted = int if name in _NUMBERS else str
        value, optional = getattr(action, name), name not in _REQUIRED
        if not (isinstance(value, wanted) or (value is None and optional)):
            raise ValueError(f"{name} is not of type {wanted.__name__}")
        if isinstance(value, int) and not 0 <= value <= _MOST:
            raise ValueError(f"{name} {value} is not within 0 to {_MOST}")
    if action.kind not in set(Kind):
        raise ValueError(f"kind {action.kind!r} is unknown")
    if dt.datetime.fromisoformat(action.recorded_at).tzinfo is None:
        raise ValueError(f"recorded_at {action.recorded_at!r} has no time zone")
    return action


def check(action: Action) -> Action:
    """Return the action if its author, note, story and severity are valid.

    Raises:
        UsageError: One of them is not.
    """
    if not action.author.strip():
        raise UsageError("the author is blank: set SPOT_OA_AUTHOR")
    checked_text("author", action.author)
    checked_text("note", action.note or "")
    if action.kind in (Kind.STORY, Kind.UNSTORY):
        _check_story(action)
    allowed: tuple[int | None, ...] = {Kind.LABEL: (1, 2, 3), Kind.CLEAR: (0,)}.get(
        Kind(action.kind), (None,)
    )
    if action.severity not in allowed:
        raise UsageError(f"severity {action.severity} does not go with {action.kind}")
    return action


def _check_story(action: Action) -> None:
    """Check that a story names its anchor, and that its texts are within the limits."""
    try:
        content = json.loads(action.payload or "")
    except ValueError:
        content = None
    names = ("anchor_kind", "anchor", *(("title", "text") if action.kind == Kind.STORY else ()))
    if not isinstance(content, dict) or not all(
        isinstance(content.get(name), str) and content[name].strip() for name in names
    ):
        raise UsageError(f"a {action.kind} needs {', '.join(names)}: none of them may be blank")
    for name in ("title", "text"):
        checked_text(name, content.get(name, ""))


def with_rows(action: Action, rows: Iterable[RowKey], row_count: int) -> Action:
    """Return the action on rows: their distinct keys, and their number in the day."""
    return replace(action, rows=frozenset(rows), row_count=row_count)


_NUMBERS = ("seq", "severity", "seen_seq", "row_count")
_MOST = 2**63 - 1
"""The largest number that the store can hold."""
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
