"""Telemetry on its way to a cluster: files that an ingest has written go to the tables' folder.

The local folder is then a stage. What was delivered is remembered beside the manifest:

    .ingest/delivered-<target>/<entry>    the files of an entry that are there; as old as the entry

A delivery that dies is repeated by the next: names of files follow from the content of logs.
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
from spot_oa.ingest import telemetry_root
from spot_oa.ingest.store import FOLDER, Store
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings
from spot_oa.warehouse import Hour, open_warehouse

STAGE = "_ingest"
"""Beside the pipelines' folders; Hive, Impala and Spark pass over what begins with `_` or `.`."""
_HOUR = re.compile(r"(?P<pipeline>[^/]+)/y=(\d+)/m=(\d+)/d=(\d+)/h=(\d+)/[^/]+")

Hours = Mapping[str, Sequence[Hour]]
"""By pipeline."""


@dataclass(slots=True)
class Delivered:
    """What a delivery has done.

    Attributes:
        files: Pipeline -> how many files were brought.
        removed: Pipeline -> how many were taken away, being no longer of any log.
        hours: Pipeline -> the hours they are of.
    """

    files: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    hours: dict[str, set[Hour]] = field(default_factory=dict)

    def note(self, file: str) -> str:
        """Remember the hour of a file; the pipeline it is of."""
        found = _HOUR.fullmatch(file)
        if found is None:
            raise IngestError(
                f"{printable(file)} in the manifest is no telemetry; report this as a defect"
            )
        pipeline, *hour = found.groups()
        self.hours.setdefault(pipeline, set()).add(Hour(*map(int, hour)))
        return pipeline


def deliver(settings: Settings) -> Delivered | None:
    """Bring what is new to `SPOT_OA_INGEST_URI`, and take away what is no longer of any log.

    A file appears whole, under its name, and the engine is told of the hours whose files have
    changed. The local copies of what was delivered are removed.

    Returns:
        What was done; None if telemetry is to stay where it is.

    Raises:
        IngestError: A file cannot be brought there.
        WarehouseError: The engine cannot be told. It is told again by the next delivery.
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
            f"SPOT_OA_INGEST_URI={printable(without_userinfo(uri))}: telemetry cannot be brought "
            f"there ({printable(error)[:300]}); allow or correct that folder, what was ingested "
            "is kept and goes with the next ingest",
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
        # A name is of one log only, so no other entry has a file that is gone.
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
        """Bring a file; False if a delivery that died had removed the local copy already."""
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
