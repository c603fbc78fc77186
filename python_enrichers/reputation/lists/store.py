"""Fetched lists: refresh local copies at most once per interval, and open them."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from python_enrichers.base import SourceError, Status
from python_enrichers.bounded import work_off
from python_enrichers.context_files import ContextFile, naive_utc
from python_enrichers.http import Marks
from python_enrichers.reputation.base import Entry, ListSource, fault_of
from python_enrichers.reputation.lists.listed import Absent, Listed
from spot_oa.errors import printable
from spot_oa.settings import Settings


def synchronise(sources: Sequence[ListSource], settings: Settings) -> list[Listed | Absent]:
    """Refresh the copies that are due, and open all.

    A new copy that cannot be read, or has no entry, does not replace the old one.

    Args:
        sources: The lists.
        settings: The folder of the copies, and the time limit of refreshing.

    Returns:
        Each list as a service; its outcome reports a stale or missing copy.
    """
    folder = settings.cache_dir / "feeds"
    renewed: dict[str, ContextFile[Entry] | SourceError] = {}

    def renew(source: ListSource) -> None:
        try:
            renewed[source.name] = _renew(source, folder / source.name)
        except SourceError as error:
            renewed[source.name] = error

    due = [source for source in sources if _age(folder / source.name) >= source.interval]
    jobs = [partial(renew, source) for source in due]
    work_off(jobs, min(len(jobs), settings.service_threads), settings.service_seconds)
    late = SourceError(Status.TIMEOUT, "the fetch exceeded the time limit")
    came = {source.name: late for source in due} | renewed
    return [_open(source, folder / source.name, came.get(source.name)) for source in sources]


def _open(
    source: ListSource, path: Path, came: ContextFile[Entry] | SourceError | None
) -> Listed | Absent:
    fault = came if isinstance(came, SourceError) else None
    try:
        file = came if isinstance(came, ContextFile) else _read(source, path)
    except SourceError as error:
        return Absent(source.name, source.kinds, fault or error)
    gaps = [*map(printable, source.meter.gaps)]
    return Listed(
        file,
        kinds=source.kinds,
        expires_at=file.written_at + source.max_age if source.max_age else None,
        status=Status.STALE if fault else Status.PARTIAL if gaps else Status.OK,
        note=", ".join([*([f"not renewed ({printable(fault.reason)})"] if fault else []), *gaps]),
        attribution=source.attribution,
    )


def _renew(source: ListSource, path: Path) -> ContextFile[Entry]:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    kept = path.with_name(f".{path.name}.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Fetch again without marks if the server reports no change but the copy is unreadable.
        for marks in (_marks(kept) if path.exists() else {}, {}):
            changed = source.fetch(fresh, marks)
            if not changed:
                os.utime(path)
            try:
                file = _read(source, fresh if changed else path)
                break
            except SourceError:
                if changed:
                    raise
        if changed:
            fresh.replace(path)
        if any(marks.values()):
            kept.write_text(json.dumps(marks), "utf-8")
    except OSError as error:
        raise SourceError(
            Status.UNAVAILABLE, f"{path} cannot be written ({error.strerror})"
        ) from None
    except Exception as error:  # noqa: BLE001 - a faulty list must not stop the run
        raise fault_of(error) from None
    finally:
        fresh.unlink(missing_ok=True)
    return file


def _read(source: ListSource, path: Path) -> ContextFile[Entry]:
    """Read a copy.

    Raises:
        SourceError: The copy is missing, cannot be read, or has no entry.
    """
    try:
        file = source.read(path)
    except Exception as error:  # noqa: BLE001 - a faulty list must not stop the run
        raise fault_of(error) from None
    if file is None:
        raise SourceError(Status.UNAVAILABLE, f"the copy {path} is missing")
    if not file.entries:
        raise SourceError(Status.MALFORMED, "it has no entry")
    return file


def _marks(path: Path) -> Marks:
    try:
        marks: Marks = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return marks if isinstance(marks, dict) else {}


def _age(path: Path) -> dt.timedelta:
    try:
        return naive_utc(time.time()) - naive_utc(path.stat().st_mtime)
    except OSError:
        return dt.timedelta.max
