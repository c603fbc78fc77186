"""Store telemetry: stage files, rename them into place, and record the ingested logs by content.

Files below `<raw>/.ingest`, which readers of telemetry ignore:

    files/<key>.<bytes>.<hash>.json   the manifest entry of an ingested part of a log
    rejects/<name>.parquet            refused lines
    seen/<path>.json                  size and mtime of ingested files: unchanged ones are not read
    stage-<id>/                       files being written; the writer locks `stage-<id>/owner`
    journal-<id>.json                 renames that must all be completed
    lock                              held while files are renamed, not while logs are read
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from spot_oa.errors import ConfigError, IngestError, printable
from spot_oa.settings import Settings

FOLDER = ".ingest"
BUFFERED = 128 << 20
ROW_GROUP = 122_880
OPEN_FILES = 256
HOUR = 3_600_000_000  # microseconds
Entry = dict[str, Any]


def telemetry_root(settings: Settings) -> Path:
    """Return the telemetry folder.

    Raises:
        ConfigError: The folder is not local.
    """
    parts = urlsplit(settings.raw_uri)
    if parts.scheme not in ("", "file"):
        raise ConfigError(
            f"SPOT_OA_RAW_URI={printable(settings.raw_uri)}: ingest writes to local folders; give "
            "a path or a file:// URL"
        )
    return Path(parts.path if parts.scheme else settings.raw_uri)


@contextmanager
def writable(root: Path) -> Iterator[None]:
    """Convert file system errors below `root` to `IngestError`."""
    try:
        yield
    except OSError as error:
        where = printable(error.filename or root)
        why = os.strerror(error.errno) if error.errno else printable(error)
        raise IngestError(
            f"telemetry cannot be written: {where}: {why}; this log was not ingested; free disk "
            "space, or let this user write there",
            transient=True,
        ) from error


@dataclass(slots=True)
class Stage:
    """Staged rows of one log, in their own folder.

    Attributes:
        folder: The folder of the staged files.
        digits: Pipeline -> minimum number of digits of a month, day and hour in paths.
        rows: (pipeline, hour) -> number of rows; the hour is counted from 1970 (UTC).
    """

    folder: Path
    owner: FileLock
    compression: str
    digits: dict[str, int] = field(default_factory=dict)
    rows: dict[tuple[str, int], int] = field(default_factory=dict)
    _held: dict[tuple[str, int], list[pa.Table]] = field(default_factory=dict)
    _sizes: dict[tuple[str, int], int] = field(default_factory=dict)
    _writers: dict[tuple[str, int], pq.ParquetWriter] = field(default_factory=dict)
    _files: dict[tuple[str, int], list[Path]] = field(default_factory=dict)
    _rejects: pq.ParquetWriter | None = None

    def add(self, pipeline: str, digits: int, rows: pa.Table, when: pa.Array) -> None:
        """Buffer rows by hour; write the largest buffers when they exceed the limit.

        Args:
            pipeline: The pipeline of the telemetry.
            digits: Minimum number of digits of its partition values.
            rows: The telemetry.
            when: Microseconds since 1970 (UTC) of each row.
        """
        self.digits[pipeline] = digits
        if rows.num_rows == 0:
            return
        hours = np.floor_divide(when.to_numpy(), HOUR)
        for hour in np.unique(hours).tolist():
            mine = hours == hour
            part = rows if mine.all() else rows.filter(pa.array(mine))
            key = pipeline, hour
            self._held.setdefault(key, []).append(part)
            self._sizes[key] = self._sizes.get(key, 0) + part.nbytes
            self.rows[key] = self.rows.get(key, 0) + part.num_rows
            if sum(held.num_rows for held in self._held[key]) >= ROW_GROUP:
                self._write(key)
        while sum(self._sizes.values()) > BUFFERED:
            self._write(max(self._sizes, key=self._sizes.__getitem__))

    def reject(self, rows: pa.Table) -> None:
        """Store refused lines."""
        if rows.num_rows == 0:
            return
        if self._rejects is None:
            path = self.folder / "rejects.parquet"
            self._rejects = pq.ParquetWriter(path, rows.schema, compression=self.compression)
        self._rejects.write_table(rows)

    def _write(self, key: tuple[str, int]) -> None:
        held = pa.concat_tables(self._held.pop(key))
        self._sizes.pop(key)
        writer = self._writers.get(key)
        if writer is None:
            if len(self._writers) >= OPEN_FILES:
                oldest = next(iter(self._writers))
                self._writers.pop(oldest).close()
            files = self._files.setdefault(key, [])
            path = self.folder / f"{key[0]}.{key[1]}.{len(files)}.parquet"
            files.append(path)
            writer = pq.ParquetWriter(path, held.schema, compression=self.compression)
            self._writers[key] = writer
        writer.write_table(held)

    def finish(self, name: str) -> dict[str, str]:
        """Write the buffered rows, and name every file.

        Args:
            name: Prefix of all names.

        Returns:
            File in the stage -> path below the root.
        """
        for key in tuple(self._held):
            self._write(key)
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
        moves = {}
        for (pipeline, hour), files in sorted(self._files.items()):
            folder = hour_folder(pipeline, hour, self.digits[pipeline])
            for n, path in enumerate(files):
                _sync(path)
                moves[path.name] = f"{folder}/{name}-{n}.parquet"
        if self._rejects is not None:
            self._rejects.close()
            _sync(self.folder / "rejects.parquet")
            moves["rejects.parquet"] = f"{FOLDER}/rejects/{name}.parquet"
        _sync(self.folder)
        return moves

    def drop(self) -> None:
        """Delete the stage."""
        for writer in (*self._writers.values(), self._rejects):
            if writer is not None:
                with suppress(OSError, pa.ArrowException):
                    writer.close()
        self._writers.clear()
        self.owner.release()
        shutil.rmtree(self.folder, ignore_errors=True)


def hour_folder(pipeline: str, hour: int, digits: int) -> str:
    """Return the folder of an hour below the root, named as Apache Spot does."""
    when = np.datetime64(hour, "h").item()
    parts = (("y", when.year), ("m", when.month), ("d", when.day), ("h", when.hour))
    return "/".join([pipeline, *(f"{key}={value:0{digits}}" for key, value in parts)])


@dataclass(frozen=True, slots=True)
class Store:
    """Telemetry below a local folder, with the manifest of its logs."""

    root: Path
    compression: str = "zstd"

    @property
    def folder(self) -> Path:
        """Return the folder of everything but telemetry."""
        return self.root / FOLDER

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock without which no process renames files."""
        with writable(self.root):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "lock")
            lock.acquire(poll_interval=0.005)
        try:
            yield
        finally:
            lock.release()

    # -- What is known --------------------------------------------------------------------------

    def entries(self, key: str) -> list[Entry]:
        """Return the entries of logs that begin with the same line, shortest first."""
        found = []
        with suppress(FileNotFoundError, NotADirectoryError):
            for path in (self.folder / "files").iterdir():
                if path.name.startswith(f"{key}.") and path.suffix == ".json":
                    with suppress(FileNotFoundError):  # Another process may replace it.
                        found.append(_entry(path))
        return sorted(found, key=lambda entry: entry["bytes"])

    def all_entries(self, since: float = 0) -> list[Entry]:
        """Return all entries, oldest first.

        Args:
            since: Seconds since 1970; return only entries written after that.
        """
        found = []
        with suppress(FileNotFoundError, NotADirectoryError):
            for path in (self.folder / "files").glob("*.json"):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime >= since:
                        found.append(_entry(path))
        return sorted(found, key=lambda entry: str(entry["taken"]))

    def seen(self, what: str, path: Path) -> bool:
        """Return whether a file is unchanged since its last ingest, by size, mtime and inode."""
        try:
            return bool(_read(self.seen_file(what, path)) == _mark(path))
        except (OSError, ValueError):
            return False

    def remember(self, what: str, path: Path, mark: Mapping[str, int]) -> None:
        """Record that a file was ingested in the state of this mark."""
        with writable(self.root):
            _write(self.seen_file(what, path), mark, sync=False)

    def forget_seen(self) -> None:
        """Make the next ingest read every file again."""
        shutil.rmtree(self.folder / "seen", ignore_errors=True)

    def seen_file(self, what: str, path: Path) -> Path:
        """Return the path where the mark of an ingested file is recorded."""
        digest = hashlib.sha256(f"{what}\0{path.absolute()}".encode("utf-8", "surrogateescape"))
        return self.folder / "seen" / f"{digest.hexdigest()[:32]}.json"

    # -- Staging and committing -----------------------------------------------------------------

    def stage(self) -> Stage:
        """Create a stage; no process clears it while this process lives."""
        with self.locked(), writable(self.root):
            folder = self.folder / f"stage-{uuid.uuid4().hex[:12]}"
            folder.mkdir()
            owner = FileLock(folder / "owner")
            owner.acquire(timeout=0)
        return Stage(folder, owner, self.compression)

    def commit(
        self, stage: Stage, moves: Mapping[str, str], entry: Entry, replaced: Sequence[Entry]
    ) -> None:
        """Move staged files into place and record the log; the caller must hold the lock.

        Args:
            stage: The stage of the files.
            moves: The result of `Stage.finish`.
            entry: The manifest entry to write.
            replaced: Entries that this one replaces, with their files.
        """
        kept = set(moves.values())
        gone = [file for old in replaced for file in old["files"] if file not in kept]
        entries = {entry_name(old) for old in replaced} - {entry_name(entry)}
        self._carry_out(
            {
                "stage": stage.folder.name,
                "moves": dict(moves),
                "remove": gone,
                "entry": entry,
                "forget": sorted(entries),
            }
        )
        stage.drop()

    def forget(self, entries: Sequence[Entry]) -> None:
        """Remove entries and their files; the caller must hold the lock."""
        self._carry_out(
            {
                "stage": "",
                "moves": {},
                "remove": [file for entry in entries for file in entry["files"]],
                "entry": None,
                "forget": sorted(entry_name(entry) for entry in entries),
            }
        )

    def _carry_out(self, journal: Mapping[str, Any]) -> None:
        path = self.folder / f"journal-{uuid.uuid4().hex[:12]}.json"
        with writable(self.root):
            for file in journal["moves"].values():
                (self.root / file).parent.mkdir(parents=True, exist_ok=True)
            try:
                _write(path, journal)
            except OSError:
                path.unlink(missing_ok=True)
                raise
            self._roll_forward(path, journal)

    def _roll_forward(self, path: Path, journal: Mapping[str, Any]) -> None:
        stage, folders = self.folder / journal["stage"], set()
        lost = [
            file
            for staged, file in journal["moves"].items()
            if not (stage / staged).exists() and not (self.root / file).exists()
        ]
        if lost:
            # The stage has been cleared: remove the incomplete rest of this log.
            for file in journal["moves"].values():
                (self.root / file).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            return
        for staged, file in journal["moves"].items():
            target = self.root / file
            target.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # Already moved before the crash.
                (stage / staged).replace(target)
            folders.add(target.parent)
        for file in journal["remove"]:
            (self.root / file).unlink(missing_ok=True)
            with suppress(OSError):  # Not empty.
                (self.root / file).parent.rmdir()
        for folder in folders:
            _sync(folder)
        if journal["entry"] is not None:
            _write(self.folder / "files" / entry_name(journal["entry"]), journal["entry"])
        for name in journal["forget"]:
            (self.folder / "files" / name).unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def recover(self) -> None:
        """Complete commits of processes that died, and clear their stages."""
        if not self.folder.is_dir():
            return
        with writable(self.root):
            names = [path.name for path in self.folder.iterdir()]
        # A run that may only read telemetry need not clear stages.
        wanted = ("journal-", "stage-") if os.access(self.folder, os.W_OK) else ("journal-",)
        if not any(name.startswith(wanted) for name in names):
            return
        with self.locked(), writable(self.root):
            for path in sorted(self.folder.glob("journal-*.json")):
                self._roll_forward(path, _read(path))
            for leftover in self.folder.glob("journal-*.json.*"):
                leftover.unlink(missing_ok=True)
            for folder in self.folder.glob("stage-*"):
                owner = FileLock(folder / "owner")
                try:
                    owner.acquire(timeout=0)
                except Timeout:
                    continue  # Still being written.
                owner.release()
                shutil.rmtree(folder, ignore_errors=True)


def entry_name(entry: Mapping[str, Any]) -> str:
    """Return the name of an entry's file."""
    name: str = entry.get("name") or f"{entry['key']}.{entry['bytes']}.{entry['sha256'][:16]}.json"
    return name


def mark(path: Path) -> dict[str, int]:
    """Return a file's size, modification time and inode."""
    return _mark(path)


def _mark(path: Path) -> dict[str, int]:
    found = path.stat()
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "inode": found.st_ino}


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _entry(path: Path) -> Entry:
    """Read an entry; its file may have the shorter name of earlier versions."""
    entry: Entry = _read(path)
    return entry | {"name": path.name}


def _write(path: Path, value: Any, *, sync: bool = True) -> None:
    """Write JSON atomically; `sync` makes it survive a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with aside.open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=1, sort_keys=True)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    if sync:
        _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
