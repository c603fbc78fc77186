"""Publish a day's tables as Parquet, swapped in as one folder."""

from __future__ import annotations

import ctypes
import datetime as dt
import errno
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spot_oa import pipelines
from spot_oa.dates import Slice, parse_date
from spot_oa.errors import PublishError, printable
from spot_oa.pipelines import Pipeline
from spot_oa.warehouse import Warehouse

MANIFEST = "manifest.json"

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # Linux, renameat2(2)
_RENAME_SWAP = 2  # macOS, renamex_np(2)


@dataclass(frozen=True, slots=True)
class Published:
    """A published day: its folder, and the row counts by table."""

    folder: Path
    rows: Mapping[str, int]


def published_folder(data_dir: Path, part: Slice) -> Path:
    """Return the folder where the tables of a slice are published."""
    return data_dir / part.pipeline / part.compact


def newest_published(data_dir: Path, pipeline: str) -> dt.date | None:
    """Return the newest published day, or None."""
    return max(published_days(data_dir, pipeline), default=None)


def published_days(data_dir: Path, pipeline: str) -> list[dt.date]:
    """Return the published days, oldest first."""
    manifests = (data_dir / pipeline).glob(f"{'[0-9]' * 8}/{MANIFEST}")
    return sorted(parse_date(manifest.parent.name) for manifest in manifests)


def publish(
    pipeline: Pipeline,
    part: Slice,
    data_dir: Path,
    warehouse: Warehouse,
    *,
    meta: Mapping[str, str],
    manifest: Callable[[Published], Mapping[str, object]],
    more: Mapping[str, pipelines.Published] | None = None,
) -> Published:
    """Write the day's tables and swap the folder in: a reader sees the old set or the new set.

    The caller must hold the warehouse's lock, so that no other run publishes the same day.

    Args:
        pipeline: Names the tables and their order.
        part: The day.
        data_dir: The tables go to `data_dir/<pipeline>/<YYYYMMDD>`, created if missing.
        warehouse: Exports the tables.
        meta: Key-value metadata of every Parquet file; equal for equal runs.
        manifest: Returns the content of manifest.json.
        more: More tables of this day, besides those of the pipeline.

    Returns:
        The published folder and row counts.

    Raises:
        PublishError: The files could not be written or swapped in; the old set is unchanged.
        WarehouseError: A table could not be read; the old set is unchanged.
    """
    return publish_tables(
        {**pipeline.tables, **(more or {})},
        part,
        data_dir,
        warehouse,
        meta=meta,
        manifest=lambda _, published: manifest(published),
    )


def publish_tables(
    tables: Mapping[str, pipelines.Published],
    part: Slice,
    root: Path,
    warehouse: Warehouse,
    *,
    meta: Mapping[str, str],
    manifest: Callable[[Path, Published], Mapping[str, object]],
    texts: Mapping[str, str] | None = None,
) -> Published:
    """Write tables and text files of a day, and swap the folder in; see `publish`.

    Args:
        tables: The tables to write, with their row order.
        part: The day.
        root: The tables go to `root/<pipeline>/<YYYYMMDD>`, created if missing.
        warehouse: Exports the tables.
        meta: Key-value metadata of every Parquet file; equal for equal runs.
        manifest: Returns the content of manifest.json, given the folder of the written files.
        texts: File name -> content.

    Returns:
        The published folder and row counts.

    Raises:
        PublishError: The files could not be written or swapped in; the old set is unchanged.
        WarehouseError: A table could not be read; the old set is unchanged.
    """
    day = published_folder(root, part)
    stage = day.with_name(f".{part.compact}.new")
    try:
        _bring_back(day)
        # A run that died leaves its stage behind, or, after the swap, the old day under that name.
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
        rows = {}
        for table, described in tables.items():
            file = stage / f"{table}.parquet"
            rows[table] = warehouse.export(table, part, described.order_by, file, meta)
            _sync(file)
        published = Published(day, rows)
        written = {
            **(texts or {}),
            MANIFEST: json.dumps(manifest(stage, published), indent=2, ensure_ascii=False) + "\n",
        }
        for name, text in written.items():
            (stage / name).write_bytes(text.encode())
            _sync(stage / name)
        _swap_in(stage, day)
        _sync(day.parent)
    except OSError as error:
        raise PublishError(
            f"{part}: cannot publish to {day} ({printable(error)}); free disk space, allow writing "
            "to that folder, or correct the setting that names it"
        ) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return published


def _swap_in(stage: Path, day: Path) -> None:
    """Exchange `stage` and `day` in one step."""
    if not day.exists():
        stage.rename(day)
        return
    try:
        _exchange(stage, day)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
            raise
        # The file system cannot exchange folders: the day is missing for an instant, never mixed.
        old = _aside(day)
        day.rename(old)
        stage.rename(day)
        shutil.rmtree(old, ignore_errors=True)


def _aside(day: Path) -> Path:
    """Return the temporary path of the old day while the new one replaces it."""
    return day.with_name(f".{day.name}.old")


def _bring_back(day: Path) -> None:
    """Restore the old day if a run died while replacing it."""
    old = _aside(day)
    if old.exists() and not day.exists():
        old.rename(day)
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":
        failed = libc.renamex_np(*paths, _RENAME_SWAP)
    elif hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE)
    else:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if failed:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(other))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
