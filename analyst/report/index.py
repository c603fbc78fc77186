"""The page of all published days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from analyst import pictures
from analyst.pictures.month import DAYS
from analyst.pictures.text import NONE, number, t
from analyst.pictures.timeline import minutes
from analyst.published import read_manifest
from analyst.report.day import published_dates
from analyst.report.facts import KNOWN_BAD, verdicts
from analyst.report.page import document
from analyst.report.shapes import SHAPES
from spot_oa.dates import Slice
from spot_oa.pipelines import Pipeline
from spot_oa.publish import published_folder
from spot_oa.warehouse.published import read_frame


def index(data_dir: Path, pipelines: Mapping[str, Pipeline]) -> str:
    """Return the page: a picture of the last month, and every published day."""
    published = {
        name: published_dates(data_dir, name)
        for name in dict.fromkeys([*SHAPES, *pipelines])
        if name in pipelines
    }
    names = [name for name, dates in published.items() if dates]
    days = sorted({date for dates in published.values() for date in dates}, reverse=True)
    drawn = ""
    if days:
        bands = {name: month(data_dir, pipelines[name], published[name], days[0]) for name in names}
        since = {name: published[name][0] for name in names}
        picture = pictures.month(bands, days[0], since=since)
        drawn = (
            "<p>Bars: events received. Below the line: ▲ known bad events, and in orange the share "
            "of the day that is a gap. A crossed-out block is a day that is not published.</p>"
            f'<div class="card"><div class="wide">{picture}</div></div>'
        )
    head = "".join(f'<th class="n">{t(name)}' for name in names)
    rows = "".join(_day(data_dir, date, names, published) for date in days)
    table = (
        f"<table><thead><tr><th>day{head}</thead><tbody>{rows}</tbody></table>"
        if days
        else "<p>No day is published.</p>"
    )
    body = (
        f"<main><header><h1>Published days</h1></header>{drawn}"
        f'<div class="card">{table}</div></main>'
    )
    return document("Published days · spot-oa", body)


def _day(
    data_dir: Path,
    date: dt.date,
    names: Sequence[str],
    published: Mapping[str, Sequence[dt.date]],
) -> str:
    cells = ""
    for name in names:
        if date in published[name]:
            manifest = read_manifest(published_folder(data_dir, Slice(name, date))) or {}
            tables = manifest.get("tables")
            entry = tables.get(f"{name}_scores") if isinstance(tables, dict) else None
            rows = entry.get("rows") if isinstance(entry, dict) else None
            shown = number(rows) if isinstance(rows, int) else NONE
            cells += f'<td class="n" data-h="{t(name)}">{shown}'
        else:
            cells += f'<td class="n" data-h="{t(name)}"><i class="r warn">missing</i>'
    return f'<tr><td><a href="{date:%Y%m%d}.html">{date}</a> {date:%a}{cells}'


def month(
    data_dir: Path, pipeline: Pipeline, dates: Sequence[dt.date], last: dt.date
) -> pd.DataFrame:
    """Return what was published up to a day, one row per date, for the picture."""
    rows = [
        {"date": date, **_counts(data_dir, pipeline, date)}
        for date in dates
        if (last - date).days < DAYS
    ]
    return pd.DataFrame(rows)


def _counts(data_dir: Path, pipeline: Pipeline, date: dt.date) -> dict[str, int]:
    folder = published_folder(data_dir, Slice(pipeline.name, date))
    frames = {}
    for table in ("ingest_summary", "scores"):
        try:
            frames[table] = read_frame(folder / f"{pipeline.name}_{table}.parquet")
        except OSError:
            frames[table] = pd.DataFrame()
    scores, received = frames["scores"], frames["ingest_summary"]
    shape = SHAPES.get(pipeline.name)
    columns = [name for name in (shape.verdicts if shape else ()) if name in scores.columns]
    evil = sum(
        any(each.severity >= KNOWN_BAD for text in row for each in verdicts(text))
        for row in zip(*(scores[name].tolist() for name in columns), strict=True)
    )
    return {
        "received": sum(minutes(received)),
        "suspicious": len(scores),
        "known_bad": evil,
        "gap_minutes": sum(gap.end - gap.first for gap in pictures.gaps(received)),
    }
