"""Make telemetry from logs: `Ingest` takes files, `Store` puts rows in their place.

A log is known by its content, whatever it is called and however it is compressed. A log that has
grown is taken from where it stopped. Every line is accounted for.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, IngestError, UsageError, printable
from spot_oa.ingest import blocks
from spot_oa.ingest.blocks import Lines, opened
from spot_oa.ingest.readers import Context, Parsed, Refused, open_reader
from spot_oa.ingest.store import HOUR, Entry, Stage, Store, mark, writable
from spot_oa.pipelines import load_pipelines
from spot_oa.publish import published_folder
from spot_oa.settings import Settings
from spot_oa.sources import check_zone, get_source
from spot_oa.warehouse.mapper import AHEAD, OLDEST, Mapped, Mapper, Plan

SENSOR = re.compile(r"[a-z0-9_-]{1,32}")
STDIN = "-"
KEPT = 4096
"""Characters of a refused line that are kept."""
EXAMPLES = 3
FEW = 100
"""A file of so few lines is taken although many of them are refused."""
HOPELESS = 10_000
"""So many refused lines and not one taken: the rest of the file is not read."""
_REJECTS = pa.schema([("line_no", pa.int64()), ("reason", pa.string()), ("line", pa.string())])


@dataclass(frozen=True, slots=True)
class Options:
    """How logs are to be taken.

    Attributes:
        sensor: Who wrote them; part of the names of files.
        timezone: The zone of text times that name none.
        log: Which log of the source the files are, where names do not tell.
        growing: Whether files may still grow; None if their folder is to tell.
        again: Take what is known once more, in place of what it has brought.
        any_time: Take rows of any time.
        max_refused: The share of lines that may be refused.
        dry_run: Write nothing.
        drop_query: Leave queries of URIs out, which may hold secrets.
        threads: How many threads map rows.
        block: About how many bytes are read at a time.
    """

    sensor: str = "main"
    timezone: str | None = None
    log: str | None = None
    growing: bool | None = None
    again: bool = False
    any_time: bool = False
    max_refused: float = 0.1
    dry_run: bool = False
    drop_query: bool = False
    threads: int = 1
    block: int = blocks.BLOCK

    def __post_init__(self) -> None:
        if not SENSOR.fullmatch(self.sensor):
            raise UsageError(
                f"--sensor {printable(self.sensor)!r}: take up to 32 of a-z, 0-9, _ and -"
            )
        if self.timezone is not None:
            check_zone(self.timezone)
        if not 0 <= self.max_refused <= 1:
            raise UsageError(f"--max-refused {self.max_refused:g}: give a share from 0 to 1")


@dataclass(slots=True)
class Ingested:
    """What became of a file.

    Attributes:
        path: The file.
        status: `taken`, `known` (nothing new in it), `unused` (of no use here) or `failed`.
        error: Why it failed.
        transient: Whether it may succeed when retried.
        lines: Lines read.
        rows: Pipeline -> rows of telemetry.
        refused: Lines not taken.
        examples: The first of them: line number, reason, line.
        skipped: Reason -> lines left out.
        blank: Blank lines.
        comments: Headers, comments and summaries.
        bad_values: Column -> values that were made NULL.
        ambiguous: Times in an hour that the zone repeats.
        hours: Pipeline -> hour, counted from 1970 (UTC) -> rows.
        late: (Pipeline, day) -> rows of days that are published already.
        newest: Pipeline -> the newest event (UTC).
        seconds: How long it took.
    """

    path: str
    status: str = "taken"
    error: str = ""
    transient: bool = False
    lines: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    examples: list[Refused] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    blank: int = 0
    comments: int = 0
    bad_values: Counter[str] = field(default_factory=Counter)
    ambiguous: int = 0
    hours: dict[str, Counter[int]] = field(default_factory=dict)
    late: dict[tuple[str, dt.date], int] = field(default_factory=dict)
    newest: dict[str, dt.datetime] = field(default_factory=dict)
    seconds: float = 0.0

    def check(self) -> None:
        """Every line is in exactly one place.

        Raises:
            IngestError: It is not: a defect of ours.
        """
        told = self.rows.total() + self.refused + self.skipped.total() + self.blank + self.comments
        if told != self.lines:
            raise IngestError(
                f"{self.path}: {self.lines} lines were read and {told} accounted for; nothing of "
                "it has landed, report this as a defect"
            )

    def counts(self) -> dict[str, Any]:
        """What is kept of it in the manifest."""
        return {
            "rows": dict(self.rows),
            "refused": self.refused,
            "skipped": dict(self.skipped),
            "blank": self.blank,
            "comments": self.comments,
            "bad_values": dict(self.bad_values),
            "ambiguous": self.ambiguous,
            "hours": {
                pipeline: {hour_text(hour): rows for hour, rows in sorted(hours.items())}
                for pipeline, hours in self.hours.items()
            },
            "newest": {name: when.isoformat() for name, when in self.newest.items()},
        }

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "path": self.path,
            "status": self.status,
            "error": self.error,
            "lines": self.lines,
            **self.counts(),
            "examples": [
                {"line_no": found.line_no, "reason": found.reason, "line": found.line[:KEPT]}
                for found in self.examples
            ],
            "late": [
                {"pipeline": pipeline, "date": date.isoformat(), "rows": rows}
                for (pipeline, date), rows in sorted(self.late.items())
            ],
            "seconds": round(self.seconds, 3),
        }


class _Changed(Exception):  # noqa: N818 - no error: somebody else was quicker
    """Another process has taken the same log meanwhile."""


@dataclass(frozen=True, slots=True)
class _Start:
    """Where reading begins, and what is replaced."""

    offset: int = 0
    line: int = 0
    state: Mapping[str, Any] | None = None
    replaced: tuple[Entry, ...] = ()


@dataclass(slots=True)
class _Work:
    """What is being made of one log."""

    told: Ingested
    reopened: Callable[[], AbstractContextManager[Any]]
    stage: Stage | None = None
    oldest: dt.datetime | None = None
    latest: dt.datetime | None = None


class Ingest:
    """Takes the logs of one source."""

    def __init__(
        self,
        settings: Settings,
        source: str,
        options: Options | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        """Read the description of the source.

        Args:
            settings: The configuration.
            source: Its name.
            options: How logs are to be taken.
            progress: Given the file that is being read, the place in it and its size, in bytes.
        """
        self.settings = settings
        self.source, self._described = get_source(source, settings.sources_dir)
        self.options = options or Options()
        if self.options.drop_query:
            self.source = self.source.model_copy(update={"drop_query": True})
        # Not every Impala reads zstd.
        self.store = Store(telemetry_root(settings), "snappy" if settings.ingest_uri else "zstd")
        self._progress = progress
        self._pipelines = load_pipelines(settings.pipelines_dir)
        zoned = any(
            field.type == "local"
            for log in self.source.logs.values()
            for field in log.fields.values()
        )
        if self.options.timezone is not None and not zoned:
            raise UsageError(
                f"--timezone {self.options.timezone}: {self.source.title} names the zone of its "
                "times itself; leave it out"
            )
        if self.options.log is not None and self.options.log not in self.source.logs:
            raise UsageError(
                f"--log {printable(self.options.log)!r}: {self.source.name} has "
                f"{', '.join(self.source.logs)}"
            )

    @cached_property
    def _mapper(self) -> Mapper:
        seeds = self.settings.project_dir / "seeds"
        return Mapper(seeds, self.options.threads, self.settings.memory_limit)

    @cached_property
    def _plans(self) -> Mapping[str, Plan]:
        return {
            name: self._mapper.plan(self.source, name, self._described, self._pipelines)
            for name in self.source.logs
        }

    def take_all(self, paths: Iterable[str]) -> Iterator[Ingested]:
        """Take files and folders, one after the other; a bad one does not stop the others.

        Raises:
            ConfigError: The description of the source is not usable.
            UsageError: There is nothing of a name.
        """
        _ = self._plans
        if not self.options.dry_run:
            self.store.recover()
        for path, named in self.files(paths):
            yield self.take(path, named=named)

    def files(self, paths: Iterable[str]) -> list[tuple[Path | None, bool]]:
        """The files behind names, and whether they were named themselves; None is stdin."""
        found: list[tuple[Path | None, bool]] = []
        for name in paths:
            if name == STDIN:
                found.append((None, True))
                continue
            path = Path(name)
            if path.is_dir():
                found.extend((file, False) for file in sorted(_walk(path)))
            elif path.exists():
                found.append((path, True))
            else:
                raise UsageError(f"{printable(name)}: there is no such file or folder")
        return found

    def take(self, path: Path | None, *, named: bool = True) -> Ingested:
        """Take what is new in one file; nothing of it lands if it fails.

        Args:
            path: The file; None is standard input.
            named: Whether the user named it; if not, its name has to tell what it is.
        """
        started, told = time.monotonic(), Ingested("stdin" if path is None else str(path))
        if path is not None and not named and self._log_of(path) is None and self._told_by_name:
            told.status = "unused"
            return told
        try:
            with _regular(path) as file:
                while True:
                    try:
                        told = self._take(file, told.path, closed=path is None)
                        break
                    except _Changed:
                        continue
        except IngestError as error:
            told.status, told.error, told.transient = "failed", str(error), error.transient
        told.seconds = time.monotonic() - started
        return told

    @property
    def _told_by_name(self) -> bool:
        return any(log.files for log in self.source.logs.values())

    def _log_of(self, path: Path) -> str | None:
        """Which log a file is by its name."""
        if self.options.log is not None:
            return self.options.log
        return next(
            (
                name
                for name, log in self.source.logs.items()
                if log.files and re.match(log.files, path.name)
            ),
            None,
        )

    def _told(self, name: str) -> str | None:
        """The log that lines are of which do not say it themselves."""
        if self.source.reader == "zeek" and name != "stdin":
            return self._log_of(Path(name))
        return self.options.log

    def _growing(self, path: Path) -> bool:
        if self.options.growing is not None:
            return self.options.growing
        return path.parent.name == "current"

    def _take(self, path: Path, name: str, *, closed: bool) -> Ingested:
        what = f"{self.source.name}\0{self.options.sensor}"
        options, store = self.options, self.store
        unread = not closed and not options.again and store.seen(what, path)
        if unread:
            return Ingested(name, "known")
        before = mark(path)
        packed = blocks.compression(path)
        whole = closed or packed is not None or not self._growing(path)
        with opened(path) as stream:
            head = _fill(stream, blocks.BLOCK)
        first = self._first_line(head)
        if first is None:
            return Ingested(name, "known" if head else "taken")
        key = hashlib.sha256(f"{what}\0".encode() + first).hexdigest()[:32]
        entries = store.entries(key)

        @contextmanager
        def reopened() -> Iterator[Any]:
            if len(head) < blocks.BLOCK:
                yield io.BytesIO(head)
            else:
                with opened(path) as stream:
                    yield stream

        start = self._start(entries, reopened)
        if packed and not options.dry_run:
            self._room(path)
        size, shown = before["size"], self._progress
        progress = (lambda place: shown(name, min(place, size), size)) if shown else None
        work = _Work(Ingested(name), reopened)
        if not options.any_time:
            work.oldest, work.latest = OLDEST, dt.datetime.now(dt.UTC).replace(tzinfo=None) + AHEAD
        try:
            with reopened() as stream:
                blocks.read_exactly(stream, start.offset)
                lines = Lines(stream, name, whole, options.block, progress)
                entry = self._read(work, key, head, start, lines)
            if entry is not None and work.stage is not None:
                with writable(store.root):
                    names = (self.source.name, options.sensor, entry["sha256"][:16], start.offset)
                    moves = work.stage.finish("-".join(map(str, names)))
                entry["files"] = sorted(moves.values())
                with store.locked():
                    if store.entries(key) != entries:
                        raise _Changed
                    store.commit(work.stage, moves, entry, start.replaced)
        finally:
            if work.stage is not None:
                work.stage.drop()
        if not (options.dry_run or closed or (entry is None and lines.waiting)):
            store.remember(what, path, before)
        return work.told

    def _start(
        self, entries: list[Entry], reopened: Callable[[], AbstractContextManager[Any]]
    ) -> _Start:
        """Where the new part of a log begins, by the hashes of what was taken."""
        if not entries:
            return _Start()
        with reopened() as stream:
            hashes = dict(blocks.prefixes(stream, sorted({entry["bytes"] for entry in entries})))
        ours = [entry for entry in entries if hashes.get(entry["bytes"]) == entry["sha256"]]
        if self.options.again:
            return _Start(replaced=tuple(ours))
        if not ours:
            return _Start()
        last = ours[-1]
        if last["cut"]:
            # Its last line had no end. If the file has grown, that was half a line: take it again.
            with reopened() as stream:
                blocks.read_exactly(stream, last["bytes"])
                more = bool(stream.read(1))
            if more:
                return _Start(last["start"], last["first_line"] - 1, last["begun"], (last,))
        return _Start(last["bytes"], last["first_line"] - 1 + last["lines"], last["state"])

    def _first_line(self, head: bytes) -> bytes | None:
        """The first line that is neither comment nor header; None if no such line is complete."""
        place = 0
        header = self.source.reader == "csv" and not self.source.header
        while place < len(head):
            end = head.find(b"\n", place)
            line = head[place : end if end >= 0 else len(head)].rstrip(b"\r")
            place = end + 1 if end >= 0 else len(head)
            if not line.strip() or line.startswith(b"#"):
                continue
            if header:
                header = False
                if place < len(head):
                    continue
            return line
        return None

    def _room(self, path: Path) -> None:
        free = shutil.disk_usage(_existing(self.store.root)).free
        wanted = 4 * path.stat().st_size
        if free < wanted:
            raise IngestError(
                f"{path}: {free >> 20} MiB are free below {self.store.root}, it may need "
                f"{wanted >> 20} MiB; make room",
                transient=True,
            )

    def _read(
        self, work: _Work, key: str, head: bytes, start: _Start, lines: Lines
    ) -> Entry | None:
        """Read the new part of a log into a stage; None if there is nothing to remember."""
        told, reader = work.told, None
        if start.offset:
            # The hash of an entry covers the log from its start.
            with work.reopened() as stream:
                blocks.read_exactly(stream, start.offset, lines.digest.update)
        for block in lines:
            if reader is None:
                context = Context(
                    self.source,
                    self._plans,
                    self._mapper,
                    self._told(told.path),
                    self.options.timezone or self.source.timezone,
                    told.path,
                )
                reader = open_reader(context, head, start.state)
                if not self.options.dry_run:
                    work.stage = self.store.stage()
            first = start.line + told.lines + 1
            parsed = reader.read(block, first)
            self._map(parsed, block, first, work)
            if told.refused >= HOPELESS and not told.rows and not told.skipped:
                break
        if reader is None:
            told.status = "known" if start.offset else "taken"
            return None
        self._judge(told, tail=start.offset > 0)
        told.check()
        for pipeline, hours in told.hours.items():
            for date, rows in _days(hours).items():
                if self._published(pipeline, date):
                    told.late[pipeline, date] = rows
        if told.skipped and not told.rows and not told.refused and _unused(told):
            told.status = "unused"
        return {
            "key": key,
            "source": self.source.name,
            "version": self.source.version,
            "sensor": self.options.sensor,
            "path": printable(told.path),
            "start": start.offset,
            "bytes": start.offset + lines.length,
            "sha256": lines.digest.hexdigest(),
            "cut": lines.cut,
            "first_line": start.line + 1,
            "lines": told.lines,
            "begun": start.state,
            "state": reader.state,
            "taken": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            **told.counts(),
        }

    def _map(self, parsed: Parsed, block: bytes, first: int, work: _Work) -> None:
        """Map a block's fields, count what became of its lines, and stage the rows."""
        told, refused = work.told, list(parsed.refused)
        for part in parsed.parts:
            plan = self._plans[part.log]
            mapped = self._mapper.map(plan, part.fields, work.latest, work.oldest)
            if mapped.refused.null_count < len(mapped.refused):
                refused.extend(_lines_refused(part.fields, mapped, block, first))
            if mapped.skipped.null_count < len(mapped.skipped):
                for found in pc.value_counts(mapped.skipped.drop_null()).to_pylist():
                    told.skipped[found["values"]] += found["counts"]
            self._bad_values(plan, part.bad, part.fields, mapped, told)
            if mapped.rows.num_rows == 0:
                continue
            pipeline = plan.pipeline
            hours, rows = np.unique(
                np.floor_divide(mapped.when.to_numpy(), HOUR), return_counts=True
            )
            told.rows[pipeline.name] += mapped.rows.num_rows
            told.hours.setdefault(pipeline.name, Counter()).update(
                dict(zip(hours.tolist(), rows.tolist(), strict=True))
            )
            newest = _instant(pc.max(mapped.when).as_py())
            told.newest[pipeline.name] = max(told.newest.get(pipeline.name, newest), newest)
            if work.stage is not None:
                with writable(self.store.root):
                    digits = pipeline.telemetry.digits
                    work.stage.add(pipeline.name, digits, mapped.rows, mapped.when)
        told.lines += parsed.lines
        told.ambiguous += parsed.ambiguous
        told.blank += parsed.blank
        told.comments += parsed.comments
        told.skipped.update(parsed.skipped)
        told.refused += len(refused)
        refused.sort(key=lambda found: found.line_no)
        told.examples.extend(refused[: max(0, EXAMPLES - len(told.examples))])
        if work.stage is not None and refused:
            rejects = pa.table(
                [
                    [found.line_no for found in refused],
                    [found.reason for found in refused],
                    [found.line[:KEPT] for found in refused],
                ],
                schema=_REJECTS,
            )
            with writable(self.store.root):
                work.stage.reject(rejects)

    @staticmethod
    def _bad_values(
        plan: Plan,
        bad: Mapping[str, pa.Array],
        fields: pa.Table,
        mapped: Mapped,
        told: Ingested,
    ) -> None:
        """Count values made NULL, of lines that were taken."""
        if bad:
            taken = pc.is_in(fields["line_no"], mapped.line_no)
            for name, wrong in bad.items():
                count = pc.sum(pc.and_(wrong, taken)).as_py() or 0
                if count:
                    columns = (column for column, sql in plan.log.columns.items() if sql == name)
                    told.bad_values[next(columns, name)] += count
        told.bad_values.update(mapped.unfit)

    def _judge(self, told: Ingested, *, tail: bool) -> None:
        """Refuse a file that is of another format.

        Raises:
            IngestError: So it is.
        """
        tried = told.lines - told.blank - told.comments
        many = tried > FEW and told.refused > self.options.max_refused * tried
        nothing = told.refused and not told.rows and not told.skipped and not tail
        if not (many or nothing):
            return
        first = told.examples[0]
        share = f"{told.refused} of {tried} lines are refused"
        hint = (
            f"; {self.source.hint}"
            if (self.source.hint and first.reason.startswith("no ")) or "header" in first.reason
            else ""
        )
        raise IngestError(
            f"{told.path}: {share}: this is no log of {self.source.title}, or much of it is "
            f"damaged; the first: line {first.line_no}, {first.reason}: "
            f"{printable(first.line[:120])}{hint}"
        )

    def _published(self, pipeline: str, date: dt.date) -> bool:
        return published_folder(self.settings.data_dir, Slice(pipeline, date)).is_dir()


def telemetry_root(settings: Settings) -> Path:
    """The folder in which telemetry lies.

    Raises:
        ConfigError: It is not local.
    """
    parts = urlsplit(settings.raw_uri)
    if parts.scheme not in ("", "file"):
        raise ConfigError(
            f"SPOT_OA_RAW_URI={printable(settings.raw_uri)}: ingest writes to local folders; give "
            "a path or a file:// URL"
        )
    return Path(parts.path if parts.scheme else settings.raw_uri)


def forget(
    settings: Settings, path: str, source: str | None = None, sensor: str | None = None
) -> int:
    """Remove what a file has brought.

    Args:
        settings: The configuration.
        path: The file as it was named when it was taken; it may be gone.
        source: Only as what it was taken; any if None.
        sensor: Only of this sensor; any if None.

    Returns:
        How many rows are gone.

    Raises:
        UsageError: Nothing was taken of it.
    """
    store = Store(telemetry_root(settings))
    store.recover()
    names = {printable(path), printable(Path(path).absolute())}
    with store.locked():
        mine = [
            entry
            for entry in store.all_entries()
            if entry["path"] in names
            and source in (None, entry["source"])
            and sensor in (None, entry["sensor"])
        ]
        if not mine:
            raise UsageError(
                f"{printable(path)}: nothing was taken of a file of this name; see "
                "spot-oa ingest --status for what was"
            )
        # A log that grew has several entries, maybe under several names.
        chain = [entry for key in {entry["key"] for entry in mine} for entry in store.entries(key)]
        store.forget(chain)
        store.forget_seen()
    return sum(sum(entry["rows"].values()) for entry in chain)


def hour_text(hour: int) -> str:
    """An hour counted from 1970 as `2024-04-20 05`."""
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=hour)).strftime(
        "%Y-%m-%d %H"
    )


def _days(hours: Mapping[int, int]) -> dict[dt.date, int]:
    days: Counter[dt.date] = Counter()
    for hour, rows in hours.items():
        days[dt.date(1970, 1, 1) + dt.timedelta(days=hour // 24)] += rows
    return days


def _instant(microseconds: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)


def _lines_refused(fields: pa.Table, mapped: Mapped, block: bytes, first: int) -> Iterator[Refused]:
    wrong = mapped.refused.is_valid()
    lines = block.removesuffix(b"\n").split(b"\n")
    for number, reason in zip(
        fields["line_no"].filter(wrong).to_pylist(),
        mapped.refused.filter(wrong).to_pylist(),
        strict=True,
    ):
        line = lines[number - first].removesuffix(b"\r").decode("utf-8", "backslashreplace")
        yield Refused(number, reason, line)


def _unused(told: Ingested) -> bool:
    return all(reason.startswith("path ") for reason in told.skipped)


def _fill(stream: Any, size: int) -> bytes:
    parts, left = [], size
    while left and (chunk := stream.read(left)):
        parts.append(chunk)
        left -= len(chunk)
    return b"".join(parts)


@contextmanager
def _regular(path: Path | None) -> Iterator[Path]:
    """A file that can be read twice: standard input and pipes are kept aside."""
    if path is not None:
        with suppress(OSError):
            if not stat.S_ISREG(path.stat().st_mode):
                with path.open("rb") as pipe, _kept(pipe) as file:
                    yield file
                return
        yield path
    else:
        with _kept(sys.stdin.buffer) as file:
            yield file


@contextmanager
def _kept(stream: Any) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(prefix="spot-oa-") as file:
        try:
            shutil.copyfileobj(stream, file, blocks.BLOCK)
            file.flush()
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise IngestError(f"{file.name}: {why}; make room, or set TMPDIR") from error
        yield Path(file.name)


def _walk(folder: Path) -> Iterator[Path]:
    """The regular files of a folder and those below it."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.absolute().parents) if parent.exists())
