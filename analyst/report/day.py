"""Reads a published day of all pipelines for reports: from files, never from the warehouse."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from analyst.known import Label, label_text
from analyst.pictures.text import NONE
from analyst.published import read_manifest, reasons_of
from analyst.report.shapes import SHAPES, Shape, shape_of
from analyst.selectors import row_key
from spot_oa.dates import Slice, parse_date
from spot_oa.errors import SpotOaError, printable
from spot_oa.pipelines import Pipeline
from spot_oa.publish import MANIFEST, published_folder
from spot_oa.settings import Settings
from spot_oa.warehouse.published import read_frame, read_rows

BEFORE = 7
"""Number of earlier days in which an address, domain or host may have been seen."""
_ATTEMPTS = 3
_DATE = re.compile(r"[0-9]{8}")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """One pipeline's published day."""

    pipeline: Pipeline
    shape: Shape
    manifest: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    """By the name without the pipeline's prefix: `scores`, `edge`, `chords` and so on."""
    notes: Sequence[str] = ()
    """Problems of reading, one line each."""
    severities: Sequence[tuple[int, str]] = ()
    """Severity and author of each row of the scores; empty if no triage is published."""
    whys: Sequence[str] = ()
    """The built-in scorer's reasons for each row; empty if another scorer scored the day."""

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.pipeline.name

    def table(self, name: str) -> pd.DataFrame:
        """Return a table; an empty frame if the pipeline has no table of this name."""
        return self.tables.get(name, pd.DataFrame())


@dataclass(frozen=True, slots=True)
class Published:
    """A day: its pipelines, the missing pipelines, and the earlier days."""

    date: dt.date
    sources: Sequence[Source]
    missing: Sequence[str] = ()
    """Pipelines that are not published for the date."""
    before: Mapping[str, Mapping[dt.date, pd.DataFrame]] = field(default_factory=dict)
    """Pipeline -> the scores of each published day among the seven before."""
    labels: Sequence[Label] = ()
    """The analysts' labels on these days, of every pipeline."""
    previous: dt.date | None = None
    next: dt.date | None = None


def published_dates(data_dir: Path, pipeline: str) -> list[dt.date]:
    """Return the published days of a pipeline, in order."""
    found = (data_dir / pipeline).glob(f"{'[0-9]' * 8}/{MANIFEST}")
    return sorted(parse_date(each.parent.name) for each in found)


def all_dates(data_dir: Path, pipelines: Mapping[str, Pipeline]) -> list[dt.date]:
    """Return the days on which any pipeline is published, in order."""
    return sorted({date for name in pipelines for date in published_dates(data_dir, name)})


def read(settings: Settings, pipelines: Mapping[str, Pipeline], date: dt.date) -> Published:
    """Read everything published for a day.

    Raises:
        SpotOaError: Nothing is published, or the day is being published repeatedly.
    """
    sources, missing, labels = [], [], list[Label]()
    before: dict[str, dict[dt.date, pd.DataFrame]] = {}
    days = [date - dt.timedelta(days=each) for each in range(1, BEFORE + 1)]
    # The built-in pipelines in their order, then added ones.
    for name in dict.fromkeys([*(each for each in SHAPES if each in pipelines), *pipelines]):
        pipeline = pipelines[name]
        labels += (label for day in days for label in _labels(settings, pipeline, day))
        found = _read_source(settings, pipeline, date)
        if found is None:
            missing.append(name)
            continue
        sources.append(found)
        scores = {day: _scores(settings.data_dir, Slice(name, day)) for day in days}
        before[name] = {day: frame for day, frame in scores.items() if frame is not None}
    if not sources:
        raise SpotOaError(f"nothing is published for {date}: run `spot-oa run all --date {date}`")
    dates = all_dates(settings.data_dir, pipelines)
    return Published(
        date,
        sources,
        missing,
        before,
        labels,
        max((each for each in dates if each < date), default=None),
        min((each for each in dates if each > date), default=None),
    )


def _read_source(settings: Settings, pipeline: Pipeline, date: dt.date) -> Source | None:
    part = Slice(pipeline.name, date)
    folder = published_folder(settings.data_dir, part)
    for _ in range(_ATTEMPTS):
        manifest = read_manifest(folder)
        if manifest is None:
            return None
        tables, notes = {}, []
        for table in pipeline.tables:
            short = table.removeprefix(f"{pipeline.name}_")
            try:
                tables[short] = read_frame(folder / f"{table}.parquet")
            except OSError as error:
                # Only the type: the message would show paths of this machine.
                notes.append(f"{table} cannot be read ({type(error).__name__}): run the day again")
        again = read_manifest(folder)
        if again is not None and again.get("run_id") == manifest.get("run_id"):
            shape = shape_of(pipeline, tables.get("scores", pd.DataFrame()))
            scores = tables.get("scores", pd.DataFrame())
            lacking = [name for name in shape.needed if name not in scores.columns]
            if "scores" in tables and len(scores.columns) and lacking:
                notes.append(f"{pipeline.name}_scores lacks {printable(', '.join(lacking))}")
            severities = _severities(settings, part, manifest, scores)
            whys = _whys(folder, pipeline, manifest)
            return Source(pipeline, shape, manifest, tables, notes, severities, whys)
    raise SpotOaError(f"{part} is being published repeatedly: try later", transient=True)


def _whys(folder: Path, pipeline: Pipeline, manifest: Mapping[str, Any]) -> list[str]:
    """Return the reasons of each row of the scores, in order; empty without reasons."""
    if pipeline.triage is None:
        return []
    try:
        known = reasons_of(folder, pipeline, manifest)
        rows = read_rows(folder / f"{pipeline.name}_scores.parquet") if known else []
    except OSError:
        return []
    return [known.get(row_key(pipeline.triage, row), "") for row in rows]


def _scores(data_dir: Path, part: Slice) -> pd.DataFrame | None:
    folder = published_folder(data_dir, part)
    if not (folder / MANIFEST).is_file():
        return None
    try:
        return read_frame(folder / f"{part.pipeline}_scores.parquet")
    except OSError:
        return None


def _labels(settings: Settings, pipeline: Pipeline, date: dt.date) -> Iterator[Label]:
    """Yield the scored rows of a day's triage; nothing if the day has no triage."""
    folder = published_folder(settings.triage_dir, Slice(pipeline.name, date))
    try:
        rows = read_rows(folder / f"{pipeline.name}_triage.parquet")
    except OSError:
        return
    for row in rows:
        if row.get("severity"):
            names = ("severity_name", "scored_by", "scored_at", "note")
            severity, by, at, note = (str(row.get(name) or "") for name in names)
            by = f"rule {row.get('rule_id')}" if row.get("via") == "rule" else by or NONE
            yield Label(date, pipeline, row, label_text(severity, by, at, note))


def _severities(
    settings: Settings, part: Slice, manifest: Mapping[str, Any], scores: pd.DataFrame
) -> list[tuple[int, str]]:
    """Return severity and author of each row, if the triage of this run is published."""
    folder = published_folder(settings.triage_dir, part)
    triage = read_manifest(folder)
    if triage is None or triage.get("scores_run_id") != manifest.get("run_id"):
        return []
    try:
        labelled = read_frame(folder / f"{part.pipeline}_triage.parquet")
    except OSError:
        return []
    names = list(scores.columns)
    if any(name not in labelled.columns for name in [*names, "severity", "scored_by"]):
        return []
    known: dict[tuple[Any, ...], list[tuple[int, str]]] = {}
    by = zip(labelled["severity"].tolist(), labelled["scored_by"].tolist(), strict=True)
    for row, (severity, author) in zip(_rows(labelled, names), by, strict=True):
        known.setdefault(row, []).append((severity or 0, author or ""))
    # Equal rows cannot be distinguished: each gets the label of one of them.
    return [found.pop(0) if (found := known.get(row)) else (0, "") for row in _rows(scores, names)]


def _rows(frame: pd.DataFrame, names: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(frame[name].tolist() for name in names), strict=True)) if names else []
