"""Scoring by rows: the content of the table, a row's details, and similar rows. No widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analyst.actions import Severity, parse_severity
from analyst.day import republished
from analyst.live import LiveRow
from analyst.panels.scoring import reply_text, undone
from analyst.pictures.svg import records
from analyst.pictures.text import NONE, WHOLE, clock, cut, many, size
from analyst.report import facts
from analyst.report.facts import BAD, REASONS, Event
from analyst.report.shapes import Column
from analyst.workbench import Workbench
from spot_oa.errors import SpotOaError, UsageError, printable

RAW = 20
"""Maximum number of raw events shown behind a row."""
KNOWN = ("reputation", "that day", "seen", "labelled")
"""The topics of `explain` that go beyond a row's own fields."""
_CELL = 46


@dataclass(frozen=True, slots=True)
class Like:
    """A kind of similarity between rows: one key marks all similar rows."""

    key: str
    what: str
    column: str
    kind: str | None = None
    """The selector for the similar rows; None selects them by rank."""
    value: str | None = None
    """The selector's name for the value; the column if None."""


LIKES: Mapping[str, Sequence[Like]] = {
    "flow": (
        Like("a", "source", "srcip", "fields"),
        Like("d", "destination", "dstip", "fields"),
    ),
    "dns": (
        Like("a", "client", "ip_dst", "client"),
        Like("n", "name", "dns_qry_name", "query"),
        Like("d", "domain", "tld", "suffix", "name"),
    ),
    "proxy": (
        Like("a", "client", "clientip"),
        Like("n", "URI", "fulluri", "uri"),
        Like("d", "host", "host"),
    ),
}
"""Pipeline -> the keys of the table; other pipelines get a key per column of a selector."""


class Rows:
    """The day's rows, most suspicious first, identified by position."""

    def __init__(self, day: Workbench) -> None:
        self.day = day
        self.likes = _likes(day)

    def table(self) -> dict[str, Any]:
        """Return what labels do not change: heads, cells, reasons, and similar rows."""
        rows = self.day.rows()
        # Places are shown in the row's details.
        columns = [each for each in self.day.source.shape.columns if each.kind != "place"]
        events = [self.day.event_of(each) for each in rows]
        groups: list[dict[object, int]] = [{} for _ in self.likes]
        usual = {
            reason
            for reason in REASONS
            if reason != BAD and 2 * sum(reason in each.reasons for each in events) > len(events)
        }
        return {
            "run": self.day.published.run_id,
            "heads": [["rank", True], ["time", False]]
            + [[each.head, each.kind in ("number", "bytes")] for each in columns],
            "likes": [[each.key, each.what] for each in self.likes],
            "reasons": [each for each in REASONS if any(each in e.reasons for e in events)],
            "rows": [
                {
                    "cells": _cells(event, columns),
                    "why": [[f"▲ {v}" if v.severity >= facts.KNOWN_BAD else str(v), True]
                            for v in event.verdicts]
                    + [[each, False] for each in event.reasons if each not in (BAD, *usual)],
                    "reasons": event.reasons,
                    "bad": event.known_bad,
                    "like": [
                        _group(groups[at], row.row.get(like.column))
                        for at, like in enumerate(self.likes)
                    ],
                }
                for row, event in zip(rows, events, strict=True)
            ],
        }  # fmt: skip

    def marks(self) -> list[list[Any]]:
        """Return the current state of each row: severity, its name, author, whether open."""
        return [
            [
                int(each.severity),
                each.severity.title if each.severity else "",
                printable(each.action.author) if each.action and each.severity else "",
                each.is_open,
            ]
            for each in self.day.rows()
        ]

    def score(
        self, places: Sequence[int], severity: object, *, run: object, like: str | None = None
    ) -> str:
        """Score these rows, or all rows similar to the first of them.

        Args:
            places: Positions of rows in the table.
            severity: 1, 2 or 3.
            run: The run of the table in which they have these positions.
            like: The key of a `Like`.

        Returns:
            The result as text.
        """
        try:
            level = parse_severity(severity)
            self.day.reload()
            if run != self.day.published.run_id:
                raise republished(self.day.part)
            rows = self.day.rows()
            if not places or not all(0 <= place < len(rows) for place in places):
                raise UsageError("nothing selected: mark rows first")
            if like is None:
                reply = self.day.label_ranks(_ranks(rows[place] for place in places), level)
            else:
                reply = self._all_like(rows, places[0], like, level)
        except SpotOaError as error:
            return str(error)
        return reply_text(self.day, reply, level)

    def undo(self) -> str:
        """Undo the author's own last action."""
        return undone(self.day)

    def behind(self, place: int) -> dict[str, Any]:
        """Return a row's details: its fields, the raw events behind it, and a picture."""
        rows = self.day.rows()
        if not 0 <= place < len(rows):
            return {"at": place, "title": "", "fields": [], "raw": None, "svg": ""}
        row = rows[place]
        event, source = self.day.event_of(row), self.day.source
        fields = [
            [name, cut(value, WHOLE)]
            for name, value in row.row.items()
            if value not in (None, "") and name not in ("y", "m", "d")
        ]
        fields = [["why", each] for each in event.why.split("; ") if each] + fields
        names = [f"{end}: {name}" for end in event.ends if (name := self.day.called.get(end))]
        fields += [["called", "; ".join(names)]] if names else []
        if row.action is not None:
            label = f"{row.severity.title} by {row.action.author}, {row.action.recorded_at[:16]}"
            fields.insert(
                0, ["scored", label + ((row.action.note and f": {row.action.note}") or "")]
            )
        if row.rule is not None:
            fields.insert(0, ["scored", f"{row.severity.title} by rule {row.rule.id}"])
        known = self.day.known_of(row)
        fields += [[what, text] for what in KNOWN for text in known.get(what, ())]
        if row.suppressed is not None:
            fields.insert(0, ["suppressed", f"{row.suppressed.reason} ({row.suppressed.author})"])
        ((count, found),) = facts.behind(source, [event], RAW)
        return {
            "at": place,
            "title": " → ".join(map(printable, event.ends)) or f"rank {event.rank}",
            "fields": [[printable(name), printable(value)] for name, value in fields],
            "raw": _raw(source.table("edge"), count, found),
            "svg": self._picture(event),
        }

    def _picture(self, event: Event) -> str:
        source, known = self.day.source, self.day.facts
        if source.name == "flow":
            hubs = [hub for hub, _ in facts.hubs(source.table("chords"), known)]
            hub = next((each for each in hubs if each in event.ends), None)
            return self.day.chord(hub).svg if hub else ""
        if source.name == "dns" and event.ends:
            dendro = source.table("dendro")
            if "ip_dst" in dendro.columns and event.ends[0] in set(dendro["ip_dst"].tolist()):
                return self.day.names(event.ends[0]).svg
        return ""

    def _all_like(self, rows: Sequence[LiveRow], place: int, key: str, level: Severity) -> Any:
        like = next((each for each in self.likes if each.key == key), None)
        value = rows[place].row.get(like.column) if like else None
        if like is None or value in (None, ""):
            raise UsageError("the marked row has no value in that column: nothing scored")
        if like.kind is None:
            alike = (each for each in rows if each.row.get(like.column) == value)
            return self.day.label_ranks(_ranks(alike), level)
        plain = value if isinstance(value, int) else str(value)
        return self.day.label(like.kind, {like.value or like.column: plain}, level)


def _likes(day: Workbench) -> Sequence[Like]:
    known = LIKES.get(day.pipeline.name)
    if known is not None:
        return known
    single = [
        (kind, column)
        for kind, match in day.triage.kinds.items()
        for column in match.by
        if (match.some or len(match.by) == 1) and not match.typed
    ]
    pairs = zip("adnm", single, strict=False)
    return [Like(key, column, column, kind) for key, (kind, column) in pairs]


def _ranks(rows: Any) -> list[int]:
    ranks = [each.rank for each in rows]
    if None in ranks:
        raise UsageError(
            "the ranks of this day are not published yet: press Save to make its tables, and retry"
        )
    return ranks


def _group(known: dict[object, int], value: object) -> int:
    """Return a number for a value: the page compares numbers, not texts."""
    return -1 if value in (None, "") else known.setdefault(value, len(known))


def _cells(event: Event, columns: Sequence[Column]) -> list[str]:
    shown = [str(event.rank), NONE if event.minute is None else clock(event.minute)]
    for column in columns:
        values = [event.row.get(name) for name in column.names]
        present = [value for value in values if value not in (None, "")]
        if column.kind in ("number", "bytes"):
            counts = [value for value in present if isinstance(value, (int, float))]
            total = sum(counts) if counts else None
            as_text = NONE if total is None else str(total)
            shown.append(size(total) if column.kind == "bytes" else as_text)
        else:
            shown.append(cut(" ".join(map(str, present)) or NONE, _CELL))
    return shown


def _raw(edge: pd.DataFrame, count: int, found: Sequence[int]) -> dict[str, Any] | None:
    if not count:
        return None
    hidden = ("y", "m", "d", "hh", "md", "h")
    names = [str(name) for name in edge.columns if str(name) not in hidden]
    rows = records(edge.iloc[list(found)][names], dict.fromkeys(names))
    kept = [at for at in range(len(names)) if any(row[at] not in (None, "") for row in rows)]
    more = f", the first {len(found)}" if count > len(found) else ""
    return {
        "title": f"{many(count, 'raw event')} behind this row{more}",
        "heads": [names[at] for at in kept],
        "rows": [[NONE if r[at] is None else cut(r[at], _CELL) for at in kept] for r in rows],
    }
