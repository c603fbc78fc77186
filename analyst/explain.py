"""Why a row is among the suspicious, and what is known of its addresses, names and URIs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analyst.pictures.text import many
from analyst.published import read_manifest, reasons_of
from analyst.report.facts import verdicts
from analyst.report.shapes import Shape, shape_of
from analyst.selectors import Row, fold
from spot_oa.dates import Slice
from spot_oa.errors import UsageError, printable
from spot_oa.pipelines import Pipeline
from spot_oa.publish import published_days, published_folder
from spot_oa.settings import Settings
from spot_oa.warehouse.published import read_rows

if TYPE_CHECKING:
    from analyst.day import LiveRow

DAYS = 90
"""How far back published days and labels are looked at."""
_COMPARED = ("address", "name", "text")

Identity = tuple[str, str]
"""How a value compares, and the value as it is compared."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of one row.

    Attributes:
        part: The pipeline and the day.
        rank: The row's.
        row: It, as published.
        said: What is told -> its lines, in the order of reading.
    """

    part: Slice
    rank: int
    row: Row
    said: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """What a person reads."""
        told = [
            f"  {'' if place else what:<11} {text}"
            for what, texts in self.said.items()
            for place, text in enumerate(texts)
        ]
        return [f"{self.part}, rank {self.rank}", *told]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def as_json(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "pipeline": self.part.pipeline,
            "date": self.part.date.isoformat(),
            "rank": self.rank,
            **{what: list(texts) for what, texts in self.said.items()},
        }


def identities(pipeline: Pipeline) -> dict[str, str]:
    """The columns of an event's addresses, names and URIs, and how their values compare."""
    compared = pipeline.triage.compared if pipeline.triage else {}
    return {column: kind for column, kind in compared.items() if kind in _COMPARED}


def explain(
    settings: Settings,
    pipeline: Pipeline,
    part: Slice,
    rows: Sequence[LiveRow],
    rank: int,
    *,
    elsewhere: Iterable[tuple[Slice, Mapping[str, str], Sequence[LiveRow]]],
) -> Explanation:
    """Gather what is known of a row, from published files and the store; nothing is applied.

    Args:
        settings: Where the published days are.
        pipeline: Whose day it is.
        part: The day.
        rows: All rows of the day, with what holds for them.
        rank: Which of them, 0 for the most suspicious.
        elsewhere: Other days with labels: which, their `identities`, and their rows.

    Raises:
        UsageError: There is no row of this rank.
    """
    live = next((each for each in rows if each.rank == rank), None)
    if live is None:
        raise UsageError(f"rank {rank} is not in {part}: it has {many(len(rows), 'row')}")
    folder = published_folder(settings.data_dir, part)
    manifest = read_manifest(folder) or {}
    shape = shape_of(pipeline, pd.DataFrame([dict(live.row)]))
    kinds = identities(pipeline)
    values = {name: str(live.row[name]) for name in kinds if live.row.get(name)}
    wanted = {(kinds[name], _compared(value, kinds[name])): value for name, value in values.items()}
    said = {
        "event": _event(pipeline, live.row),
        "score": _score(shape, rows, live),
        "reasons": _reasons(folder, pipeline, manifest, live.key),
        "reputation": _reputation(shape, manifest, live.row),
        "severity": [_severity(live)],
        "that day": [_that_day(rows, name, value) for name, value in values.items()],
        "seen": _seen(settings, part, wanted, kinds),
        "labelled": _labelled(wanted, elsewhere),
    }
    return Explanation(part, rank, live.row, {what: texts for what, texts in said.items() if texts})


def _event(pipeline: Pipeline, row: Row) -> list[str]:
    shown = pipeline.triage.key if pipeline.triage else ()
    return [", ".join(f"{name} {_shown(row.get(name))}" for name in shown)]


def _shown(value: object) -> str:
    return "NULL" if value is None else printable(value)


def _score(shape: Shape, rows: Sequence[LiveRow], live: LiveRow) -> list[str]:
    behind = sum(1 for each in rows if each.rank is not None and each.rank > (live.rank or 0))
    share = 100 * behind / len(rows)
    return [
        f"{_shown(live.row.get(shape.score))}; before {behind} of the day's {len(rows)} rows "
        f"({share:.1f} %)"
    ]


def _reasons(folder: Path, pipeline: Pipeline, manifest: Mapping[str, Any], key: str) -> list[str]:
    """Why the built-in scorer has ranked the row so."""
    try:
        reason = reasons_of(folder, pipeline, manifest).get(key, "")
    except OSError:
        return []
    return [printable(each) for each in reason.split("; ") if each]


def _reputation(shape: Shape, manifest: Mapping[str, Any], row: Row) -> list[str]:
    sources: dict[str, Mapping[str, Any]] = {
        str(source.get("source")): source
        for source in manifest.get("sources", ())
        if isinstance(source, dict) and source.get("step") == "reputation"
    }
    found = []
    for name, columns in shape.verdicts.items():
        value = next((row[column] for column in columns if row.get(column)), None)
        for said in verdicts(row.get(name)):
            source = sources.get(said.service, {})
            detail = f" ({printable(source['detail'])})" if source.get("detail") else ""
            found.append(f"{_shown(value)}: {printable(said)}, severity {said.severity}{detail}")
    return found or ["no source knows its ends"]


def _severity(live: LiveRow) -> str:
    title = live.severity.title
    if live.rule is not None:
        return f"{title}, by rule {printable(live.rule.id)}: {live.rule.reason_for(live.row)}"
    if live.action is None:
        return title
    note = f": {printable(live.action.note)}" if live.action.note else ""
    when = live.action.recorded_at[:16].replace("T", " ")
    return f"{title}, by {printable(live.action.author)} at {when}{note}"


def _that_day(rows: Sequence[LiveRow], column: str, value: str) -> str:
    same = [each for each in rows if each.row.get(column) == value]
    others = ""
    if column in ("srcip", "dstip"):
        other = "dstip" if column == "srcip" else "srcip"
        peers = {each.row.get(other) for each in same} - {value}
        others = f", {many(len(peers), 'other end')}"
    return f"{printable(value)}: {many(len(same), 'row')} as {column}{others}"


def _seen(
    settings: Settings, part: Slice, wanted: Mapping[Identity, str], kinds: Mapping[str, str]
) -> list[str]:
    """When a value was first among the suspicious of published days, and on how many."""
    before = [
        date
        for date in published_days(settings.data_dir, part.pipeline)
        if dt.timedelta(0) < part.date - date <= dt.timedelta(days=DAYS)
    ]
    if not before:
        return [f"no day of the {DAYS} before is published"]
    there = {date: _of_day(settings, Slice(part.pipeline, date), kinds) for date in before}
    found = []
    for identity, value in wanted.items():
        on = [date for date in before if identity in there[date]]
        first = f"first on {on[0]}, on {len(on)} of" if on else "on none of"
        found.append(f"{printable(value)}: {first} {many(len(before), 'published day')} before")
    return found


def _of_day(settings: Settings, part: Slice, kinds: Mapping[str, str]) -> set[Identity]:
    file = published_folder(settings.data_dir, part) / f"{part.pipeline}_scores.parquet"
    try:
        rows = read_rows(file)
    except OSError:
        return set()
    return {(kind, _compared(row.get(name), kind)) for row in rows for name, kind in kinds.items()}


def _labelled(
    wanted: Mapping[Identity, str],
    elsewhere: Iterable[tuple[Slice, Mapping[str, str], Sequence[LiveRow]]],
) -> list[str]:
    """What was said of the same address, name or URI on other days: shown, never applied."""
    found: dict[str, dt.date] = {}
    for other, kinds, rows in elsewhere:
        for live in rows:
            if not live.severity:
                continue
            for name, kind in kinds.items():
                value = wanted.get((kind, _compared(live.row.get(name), kind)))
                if value is not None:
                    said = f"{printable(value)}: {_severity(live)} ({other.pipeline} {other.date})"
                    found[said] = other.date
    return sorted(found, key=lambda said: (-found[said].toordinal(), said))


def _compared(value: object, kind: str) -> str:
    return fold(str(value)) if kind == "name" else str(value)
