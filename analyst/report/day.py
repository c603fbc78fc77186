"""A published day of all pipelines, as a report reads it: files only, never the warehouse."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

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
"""Days before in which an address, domain or host may have been seen."""
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
    """By the name behind the pipeline's: `scores`, `edge`, `chords` and so on."""
    notes: Sequence[str] = ()
    """What could not be read, a line each."""
    severities: Sequence[tuple[int, str]] = ()
    """What analysts said of each row of the scores, and who; empty if nothing is published."""
    whys: Sequence[str] = ()
    """Why the built-in scorer has put each row where it is; empty if another scorer did."""

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.pipeline.name

    def table(self, name: str) -> pd.DataFrame:
        """A table; an empty frame if the pipeline has none of the name."""
        return self.tables.get(name, pd.DataFrame())


@dataclass(frozen=True, slots=True)
class Published:
    """A day: its pipelines, those that are missing, and what days before have."""

    date: dt.date
    sources: Sequence[Source]
    missing: Sequence[str] = ()
    """Pipelines that are not published for the date."""
    before: Mapping[str, Mapping[dt.date, pd.DataFrame]] = field(default_factory=dict)
    """By pipeline the scores of the published days among the seven before."""
    previous: dt.date | None = None
    next: dt.date | None = None


def published_dates(data_dir: Path, pipeline: str) -> list[dt.date]:
    """The days of a pipeline that are published, in order."""
    found = (data_dir / pipeline).glob(f"{'[0-9]' * 8}/{MANIFEST}")
    return sorted(parse_date(each.parent.name) for each in found)


def all_dates(data_dir: Path, pipelines: Mapping[str, Pipeline]) -> list[dt.date]:
    """The days of which any pipeline is published, in order."""
    return sorted({date for name in pipelines for date in published_dates(data_dir, name)})


def read(settings: Settings, pipelines: Mapping[str, Pipeline], date: dt.date) -> Published:
    """Read all that is published of a day.

    Raises:
        SpotOaError: Nothing is, or it is being published again and again.
    """
    sources, missing = [], []
    before: dict[str, dict[dt.date, pd.DataFrame]] = {}
    # Ours in their order, then what was added.
    for name in dict.fromkeys([*(each for each in SHAPES if each in pipelines), *pipelines]):
        pipeline = pipelines[name]
        found = _read_source(settings, pipeline, date)
        if found is None:
            missing.append(name)
            continue
        sources.append(found)
        days = [date - dt.timedelta(days=each) for each in range(1, BEFORE + 1)]
        scores = {day: _scores(settings.data_dir, Slice(name, day)) for day in days}
        before[name] = {day: frame for day, frame in scores.items() if frame is not None}
    if not sources:
        raise SpotOaError(f"nothing is published of {date}: `spot-oa run all --date {date}` does")
    dates = all_dates(settings.data_dir, pipelines)
    return Published(
        date,
        sources,
        missing,
        before,
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
                # The manifest names what there is; the message would name our folders.
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
    raise SpotOaError(f"{part} is being published again and again: try later", transient=True)


def _whys(folder: Path, pipeline: Pipeline, manifest: Mapping[str, Any]) -> list[str]:
    """The reasons of each row of the scores, in their order; none if there are none."""
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


def _severities(
    settings: Settings, part: Slice, manifest: Mapping[str, Any], scores: pd.DataFrame
) -> list[tuple[int, str]]:
    """What the triage of this very run says of each row, if there is one."""
    folder = published_folder(settings.triage_dir, part)
    triage = read_manifest(folder)
    if triage is None or triage.get("scores_run_id") != manifest.get("run_id"):
        return []
    try:
        said = read_frame(folder / f"{part.pipeline}_triage.parquet")
    except OSError:
        return []
    names = list(scores.columns)
    if any(name not in said.columns for name in [*names, "severity", "scored_by"]):
        return []
    known: dict[tuple[Any, ...], list[tuple[int, str]]] = {}
    by = zip(said["severity"].tolist(), said["scored_by"].tolist(), strict=True)
    for row, (severity, author) in zip(_rows(said, names), by, strict=True):
        known.setdefault(row, []).append((severity or 0, author or ""))
    # Equal rows are told apart by nothing: each has what one of them has.
    return [found.pop(0) if (found := known.get(row)) else (0, "") for row in _rows(scores, names)]


def _rows(frame: pd.DataFrame, names: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(frame[name].tolist() for name in names), strict=True)) if names else []
