"""Reads a published day for analysts: from files only, never from the warehouse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyst.selectors import Row, row_key
from spot_oa.dates import Slice
from spot_oa.errors import SpotOaError, UsageError, printable
from spot_oa.pipelines import Pipeline, Triage
from spot_oa.publish import MANIFEST, published_folder
from spot_oa.settings import Settings
from spot_oa.warehouse.published import read_rows

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class PublishedDay:
    """The rows of `<pipeline>_scores`, most suspicious first, their keys and their ranks."""

    run_id: str
    rows: tuple[Row, ...]
    keys: tuple[str, ...]
    ranks: tuple[int | None, ...]
    """None if the scores have no rank and the triage of this run is not published yet."""


def triage_of(pipeline: Pipeline) -> Triage:
    """Return how the pipeline's rows can be labelled.

    Raises:
        UsageError: The pipeline's description has no `triage` entry.
    """
    if pipeline.triage is None:
        raise UsageError(
            f"rows of {pipeline.name} cannot be labelled: its description has no `triage` entry"
        )
    return pipeline.triage


def read_manifest(folder: Path) -> Mapping[str, Any] | None:
    """Return the manifest of a published folder; None if it is missing or unreadable."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


def read_day(settings: Settings, pipeline: Pipeline, part: Slice) -> PublishedDay:
    """Read a published day.

    Raises:
        SpotOaError: The day is not published, or cannot be read.
    """
    triage, folder = triage_of(pipeline), published_folder(settings.data_dir, part)
    for _ in range(_ATTEMPTS):
        manifest = read_manifest(folder)
        if manifest is None:
            raise SpotOaError(
                f"{part} is not published: run `spot-oa run {part.pipeline} --date {part.date}`"
            )
        run_id = str(manifest.get("run_id", ""))
        try:
            rows = read_rows(folder / f"{pipeline.name}_scores.parquet")
        except OSError as error:
            raise SpotOaError(f"{part}: {printable(error)}; run the day again") from error
        again = read_manifest(folder)
        if again is not None and again.get("run_id") == run_id:
            break
    else:
        raise SpotOaError(f"{part} is being published repeatedly: try later", transient=True)
    keys = tuple(row_key(triage, row) for row in rows)
    ranks = _ranks(settings, pipeline, part, run_id, rows)
    # Without ranks, use the file's order, which is that of the score.
    order = range(len(rows)) if None in ranks else sorted(range(len(rows)), key=ranks.__getitem__)
    return PublishedDay(
        run_id,
        tuple(rows[place] for place in order),
        tuple(keys[place] for place in order),
        tuple(ranks[place] for place in order),
    )


def reasons_of(folder: Path, pipeline: Pipeline, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return row key -> the built-in scorer's reasons; empty if another scorer scored the day.

    Args:
        folder: The folder of the published day.
        pipeline: The pipeline of the day.
        manifest: The manifest of the day.

    Raises:
        OSError: The manifest lists the reasons, but they cannot be read.
    """
    if pipeline.reasons_table not in manifest.get("tables", {}):
        return {}
    rows = read_rows(folder / f"{pipeline.reasons_table}.parquet")
    # Rows that share a key look equal to readers: use the reasons of the first one.
    return {str(row["row_key"]): str(row["reason"] or "") for row in reversed(rows)}


def _ranks(
    settings: Settings, pipeline: Pipeline, part: Slice, run_id: str, rows: list[dict[str, object]]
) -> list[Any]:
    if rows and "rank" in rows[0]:
        return [row["rank"] for row in rows]
    unknown: list[Any] = [None] * len(rows)
    folder = published_folder(settings.triage_dir, part)
    manifest = read_manifest(folder)
    if manifest is None or manifest.get("scores_run_id") != run_id:
        return unknown
    try:
        labelled = read_rows(folder / f"{pipeline.name}_triage.parquet")
    except OSError:
        return unknown
    known: dict[tuple[object, ...], list[object]] = {}
    names = list(rows[0]) if rows else []
    for row in sorted(labelled, key=lambda each: -int(str(each["rank"]))):
        known.setdefault(tuple(row.get(name) for name in names), []).append(row["rank"])
    found = [known.get(tuple(row.values()), []) for row in rows]
    return [ranks.pop() if ranks else None for ranks in found]
