"""Explains why a row is suspicious, and what is known about its addresses, names and URIs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analyst.known import Before, Known, Label, label_text, look_back, standing
from analyst.pictures.text import many
from analyst.published import read_manifest, reasons_of
from analyst.report.facts import verdicts
from analyst.report.shapes import Shape, shape_of
from analyst.selectors import Row
from analyst.standing import StandingRule
from spot_oa.dates import Slice
from spot_oa.errors import UsageError, printable
from spot_oa.pipelines import Pipeline
from spot_oa.publish import published_days, published_folder
from spot_oa.settings import Settings
from spot_oa.warehouse.published import read_rows

if TYPE_CHECKING:
    from analyst.live import LiveRow

DAYS = 90
"""Number of days to look back for published days and labels."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known about one row.

    Attributes:
        part: The pipeline and the day.
        rank: The rank of the row.
        row: The row as published.
        topics: Topic -> its lines, in display order.
    """

    part: Slice
    rank: int
    row: Row
    topics: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """The explanation as lines of text."""
        lines = [
            f"  {'' if place else what:<11} {text}"
            for what, texts in self.topics.items()
            for place, text in enumerate(texts)
        ]
        return [f"{self.part}, rank {self.rank}", *lines]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def as_json(self) -> dict[str, object]:
        """The explanation as JSON values."""
        return {
            "pipeline": self.part.pipeline,
            "date": self.part.date.isoformat(),
            "rank": self.rank,
            **{what: list(texts) for what, texts in self.topics.items()},
        }


def known_before(
    settings: Settings, pipeline: Pipeline, date: dt.date, labels: Iterable[Label]
) -> Before:
    """Gather what other days know about the values of any row of this day.

    Args:
        settings: The settings, for the folder of the published days.
        pipeline: The pipeline of the day.
        date: The day.
        labels: Scored rows of other days, of every pipeline.
    """
    days = [
        each
        for each in sorted(published_days(settings.data_dir, pipeline.name))
        if dt.timedelta(0) < date - each <= dt.timedelta(days=DAYS)
    ]
    rows = ((each, _of_day(settings, Slice(pipeline.name, each))) for each in days)
    return look_back(pipeline, DAYS, rows, labels)


def label_of(live: LiveRow, date: dt.date, pipeline: Pipeline) -> Label:
    """Return a scored row in the form in which it is shown on other days."""
    return Label(date, pipeline, live.row, _severity(live))


def explain(
    settings: Settings,
    pipeline: Pipeline,
    part: Slice,
    rows: Sequence[LiveRow],
    rank: int,
    *,
    before: Before,
) -> Explanation:
    """Gather what is known about a row from published files and the store; change nothing.

    Args:
        settings: The settings, for the folder of the published days.
        pipeline: The pipeline of the day.
        part: The pipeline and the day.
        rows: All rows of the day, with their current labels.
        rank: The rank of the row, 0 for the most suspicious.
        before: What other days know about the pipeline's values.

    Raises:
        UsageError: There is no row with this rank.
    """
    live = next((each for each in rows if each.rank == rank), None)
    if live is None:
        raise UsageError(f"rank {rank} is not in {part}: it has {many(len(rows), 'row')}")
    folder = published_folder(settings.data_dir, part)
    manifest = read_manifest(folder) or {}
    shape = shape_of(pipeline, pd.DataFrame([dict(live.row)]))
    known = Known(pipeline, [each.row for each in rows], before)
    topics = {
        "event": _event(pipeline, live.row),
        "score": _score(shape, rows, live),
        "reasons": _reasons(folder, pipeline, manifest, live.key),
        "reputation": _reputation(shape, manifest, live.row),
        "severity": [_severity(live)],
        "rules": [_by_rule(each, live.row) for each in live.hits if each is not live.rule],
        **known.of(live.row),
    }
    found = {what: texts for what, texts in topics.items() if texts}
    return Explanation(part, rank, live.row, found)


def _event(pipeline: Pipeline, row: Row) -> list[str]:
    shown = pipeline.triage.key if pipeline.triage else ()
    return [", ".join(f"{name} {_shown(row.get(name))}" for name in shown)]


def _shown(value: object) -> str:
    return "NULL" if value is None else printable(value)


def _score(shape: Shape, rows: Sequence[LiveRow], live: LiveRow) -> list[str]:
    behind = sum(1 for each in rows if each.rank is not None and each.rank > (live.rank or 0))
    return [standing(_shown(live.row.get(shape.score)), behind, len(rows))]


def _reasons(folder: Path, pipeline: Pipeline, manifest: Mapping[str, Any], key: str) -> list[str]:
    """Return the built-in scorer's reasons for the row's rank."""
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
        for each in verdicts(row.get(name)):
            source = sources.get(each.service, {})
            detail = f" ({printable(source['detail'])})" if source.get("detail") else ""
            found.append(f"{_shown(value)}: {printable(each)}, severity {each.severity}{detail}")
    return found or ["no reputation service lists its addresses or names"]


def _severity(live: LiveRow) -> str:
    title = live.severity.title
    if live.rule is not None:
        return _by_rule(live.rule, live.row)
    if live.action is None:
        return title
    action = live.action
    return label_text(title, action.author, action.recorded_at, action.note or "")


def _by_rule(rule: StandingRule, row: Row) -> str:
    return label_text(rule.severity.title, f"rule {rule.id}", note=rule.reason_for(row))


def _of_day(settings: Settings, part: Slice) -> Sequence[Row]:
    file = published_folder(settings.data_dir, part) / f"{part.pipeline}_scores.parquet"
    try:
        return read_rows(file)
    except OSError:
        return []
