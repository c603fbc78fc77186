"""Deliver telemetry to a cluster: upload the files of an ingest to the tables' folder.

The local folder is then only a stage. Delivered files are recorded next to the manifest:

    .ingest/delivered-<target>/<entry>    the delivered files of an entry, with the entry's mtime

If a delivery dies, the next one repeats it: names of files depend only on the content of logs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec
from filelock import FileLock

from spot_oa.errors import IngestError, printable, without_userinfo
from spot_oa.ingest.store import FOLDER, Store, telemetry_root
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings
from spot_oa.warehouse import Hour, open_warehouse

STAGE = "_ingest"
"""Folder next to the pipelines'; Hive, Impala and Spark ignore names with `_` or `.` in front."""
_HOUR = re.compile(r"(?P<pipeline>[^/]+)/y=(\d+)/m=(\d+)/d=(\d+)/h=(\d+)/[^/]+")

Hours = Mapping[str, Sequence[Hour]]
"""Pipeline -> hours."""


@dataclass(slots=True)
class Delivered:
    """The result of a delivery.

    Attributes:
        files: Pipeline -> number of uploaded files.
        removed: Pipeline -> number of removed files, which no longer belong to any log.
        hours: Pipeline -> the hours of all these files.
    """

    files: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    hours: dict[str, set[Hour]] = field(default_factory=dict)

    def note(self, file: str) -> str:
        """Record the hour of a file; return its pipeline."""
        found = _HOUR.fullmatch(file)
        if found is None:
            raise IngestError(
                f"{printable(file)} in the manifest is not a telemetry file; report this as a bug"
            )
        pipeline, *hour = found.groups()
        self.hours.setdefault(pipeline, set()).add(Hour(*map(int, hour)))
        return pipeline


def deliver(settings: Settings) -> Delivered | None:
    """Upload new files to `SPOT_OA_INGEST_URI`, and remove files that belong to no log any more.

    A file gets its name only when complete. The engine's metadata is refreshed for the hours whose
    files changed. Local copies of delivered files are removed.

    Returns:
        The result; None if no delivery is configured.

    Raises:
        IngestError: A file cannot be uploaded.
        WarehouseError: The engine cannot be refreshed; the next delivery tries again.
    """
    if not settings.ingest_uri:
        return None
    store = Store(telemetry_root(settings))
    if not store.folder.is_dir():
        return Delivered()
    with _reachable(settings.ingest_uri):
        system, root = fsspec.core.url_to_fs(settings.ingest_uri)
    target = hashlib.sha256(settings.ingest_uri.encode()).hexdigest()[:8]
    place = _Place(store, system, root.rstrip("/"), store.folder / f"delivered-{target}")
    warehouse, pipelines = open_warehouse(settings), load_pipelines(settings.pipelines_dir)

    def show(hours: Hours) -> None:
        for pipeline, touched in hours.items():
            warehouse.add_hours(pipelines[pipeline], touched)

    with FileLock(store.folder / "delivery-lock"), _reachable(settings.ingest_uri):
        return place.bring(show)


@contextmanager
def _reachable(uri: str) -> Any:
    try:
        yield
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        if isinstance(error, IngestError):
            raise
        raise IngestError(
            f"SPOT_OA_INGEST_URI={printable(without_userinfo(uri))}: telemetry cannot be delivered "
            f"({printable(error)[:300]}); allow writing to that folder, or correct it; the next "
            "ingest delivers the files",
            transient=isinstance(error, (OSError, RuntimeError)),
        ) from error


@dataclass(frozen=True, slots=True)
class _Place:
    store: Store
    system: Any
    root: str
    markers: Path

    def bring(self, show: Callable[[Hours], None]) -> Delivered:
        done, entries = Delivered(), self.store.folder / "files"
        self.markers.mkdir(exist_ok=True)
        names = {path.name for path in entries.glob("*.json")} if entries.is_dir() else set()
        fresh: dict[str, tuple[int, list[str]]] = {}
        gone: set[str] = set()
        for name in sorted(names):
            with suppress(FileNotFoundError):  # Another process may replace an entry.
                written = (entries / name).stat().st_mtime_ns
                if written != _time_of(self.markers / name):
                    entry = json.loads((entries / name).read_text("utf-8"))
                    files = [f for f in entry["files"] if not f.startswith(f"{FOLDER}/")]
                    fresh[name] = written, files
                    gone.update(self._brought(name))
        old = {path.name for path in self.markers.iterdir()} - names
        for name in old:
            gone.update(self._brought(name))
        # File names are unique to a log, so no other entry needs a removed file.
        gone -= {file for _, files in fresh.values() for file in files}
        for _, files in fresh.values():
            for file in files:
                if self._put(file):
                    done.files[done.note(file)] += 1
        for file in sorted(gone):
            with suppress(FileNotFoundError):
                self.system.rm_file(f"{self.root}/{file}")
            done.removed[done.note(file)] += 1
        if done.hours:
            show({pipeline: sorted(hours) for pipeline, hours in sorted(done.hours.items())})
        for name, (written, files) in fresh.items():
            for file in files:
                (self.store.root / file).unlink(missing_ok=True)
            marker = self.markers / name
            marker.write_text(json.dumps(files), "utf-8")
            os.utime(marker, ns=(written, written))
        for name in old:
            (self.markers / name).unlink(missing_ok=True)
        return done

    def _brought(self, name: str) -> list[str]:
        try:
            found: list[str] = json.loads((self.markers / name).read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return []
        return found

    def _put(self, file: str) -> bool:
        """Upload a file; False if a delivery that died has already uploaded it."""
        local, there = self.store.root / file, f"{self.root}/{file}"
        if not local.exists():
            if self.system.exists(there):
                return False
            raise IngestError(
                f"{printable(local)} is missing and was not delivered: ingest its log with --again"
            )
        aside = f"{self.root}/{STAGE}/{Path(file).name}"
        self.system.makedirs(f"{self.root}/{STAGE}", exist_ok=True)
        self.system.makedirs(there.rpartition("/")[0], exist_ok=True)
        self.system.put_file(str(local), aside)
        # Object stores overwrite; a rename on HDFS does not.
        with suppress(FileNotFoundError):
            self.system.rm_file(there)
        self.system.mv(aside, there)
        return True


def _time_of(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return -1
