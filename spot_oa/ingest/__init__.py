"""Convert logs to telemetry: `Ingest` reads files, `Store` moves their rows into place.

A log is identified by its content, independent of its name and compression. If a log has grown,
only the new part is read. Every line is accounted for.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spot_oa.dates import Slice
from spot_oa.errors import IngestError, UsageError, printable
from spot_oa.ingest import blocks
from spot_oa.ingest.blocks import Lines, opened
from spot_oa.ingest.files import existing, fill, regular, walk
from spot_oa.ingest.readers import Context, Parsed, Refused, open_reader
from spot_oa.ingest.result import KEPT, Ingested
from spot_oa.ingest.store import HOUR, Entry, Stage, Store, mark, telemetry_root, writable
from spot_oa.pipelines import load_pipelines
from spot_oa.publish import published_folder
from spot_oa.settings import Settings
from spot_oa.sources import check_zone, get_source
from spot_oa.warehouse.mapper import AHEAD, OLDEST, Mapped, Mapper, Plan

__all__ = ["Ingest", "Ingested", "Options"]

SENSOR = re.compile(r"[a-z0-9_-]{1,32}")
STDIN = "-"
EXAMPLES = 3
FEW = 100
"""`max_refused` applies only to files with more lines than this."""
HOPELESS = 10_000
"""Stop reading a file after this many refused lines if no line was accepted."""
_REJECTS = pa.schema([("line_no", pa.int64()), ("reason", pa.string()), ("line", pa.string())])


@dataclass(frozen=True, slots=True)
class Options:
    """How to ingest logs.

    Attributes:
        sensor: The sensor that wrote the logs; part of the names of files.
        timezone: The zone of text times without a zone.
        log: The log of the source that the files are, if their names do not show it.
        growing: Whether files may still grow; None to decide by their folder.
        again: Ingest known logs again, and replace their rows.
        any_time: Accept rows of any time.
        max_refused: The share of lines that may be refused.
        dry_run: Write nothing.
        drop_query: Drop the queries of URIs, which may contain secrets.
        threads: Number of threads that map rows.
        block: Approximate number of bytes to read at a time.
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
                f"--sensor {printable(self.sensor)!r}: use up to 32 of a-z, 0-9, _ and -"
            )
        if self.timezone is not None:
            check_zone(self.timezone)
        if not 0 <= self.max_refused <= 1:
            raise UsageError(f"--max-refused {self.max_refused:g}: give a share from 0 to 1")


class _Changed(Exception):  # noqa: N818 - not an error: another process was faster
    """Another process has ingested the same log meanwhile."""


@dataclass(frozen=True, slots=True)
class _Start:
    """Where reading begins, and the entries to replace."""

    offset: int = 0
    line: int = 0
    state: Mapping[str, Any] | None = None
    replaced: tuple[Entry, ...] = ()


@dataclass(slots=True)
class _Work:
    """The state of ingesting one log."""

    result: Ingested
    reopened: Callable[[], AbstractContextManager[Any]]
    stage: Stage | None = None
    oldest: dt.datetime | None = None
    latest: dt.datetime | None = None


class Ingest:
    """Ingests the logs of one source."""

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
            source: The source's name.
            options: How to ingest logs.
            progress: Called with the current file, the position in it and its size, in bytes.
        """
        self.settings = settings
        self.source, self._described = get_source(source, settings.sources_dir)
        self.options = options or Options()
        if self.options.drop_query:
            self.source = self.source.model_copy(update={"drop_query": True})
        # Some versions of Impala cannot read zstd.
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
                f"--timezone {self.options.timezone}: the times of {self.source.title} already "
                "have a zone; omit the option"
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
        """Ingest files and folders in turn; if a file fails, go on with the next.

        Raises:
            ConfigError: The description of the source is not usable.
            UsageError: A path does not exist.
        """
        if not self.options.dry_run:
            self.store.recover()
        for path, named in self.files(paths):
            yield self.take(path, named=named)

    def files(self, paths: Iterable[str]) -> list[tuple[Path | None, bool]]:
        """Return the files of paths, and whether each was named itself; None is stdin."""
        found: list[tuple[Path | None, bool]] = []
        for name in paths:
            if name == STDIN:
                found.append((None, True))
                continue
            path = Path(name)
            if path.is_dir():
                found.extend((file, False) for file in sorted(walk(path)))
            elif path.exists():
                found.append((path, True))
            else:
                raise UsageError(f"{printable(name)}: no such file or folder; correct the path")
        return found

    def take(self, path: Path | None, *, named: bool = True) -> Ingested:
        """Ingest the new part of a file; if it fails, none of its rows are stored.

        Args:
            path: The file; None is standard input.
            named: Whether the user named it; otherwise its name must match a log of the source.
        """
        started, result = time.monotonic(), Ingested("stdin" if path is None else str(path))
        if path is not None and not named and self._log_of(path) is None and self._has_file_names:
            result.status = "unused"
            return result
        try:
            with regular(path) as file:
                while True:
                    try:
                        result = self._take(file, result.path, closed=file != path)
                        break
                    except _Changed:
                        continue
        except IngestError as error:
            result.status, result.error, result.transient = "failed", str(error), error.transient
        result.seconds = time.monotonic() - started
        return result

    @property
    def _zone(self) -> str | None:
        """The zone of text times without a zone; None if not known."""
        return self.options.timezone or self.source.timezone

    @property
    def _has_file_names(self) -> bool:
        return any(log.files for log in self.source.logs.values())

    def _log_of(self, path: Path) -> str | None:
        """Return the log that a file is by its name, or None."""
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

    def _log_of_lines(self, name: str) -> str | None:
        """Return the log for lines that do not name theirs, or None."""
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
            head = fill(stream, blocks.BLOCK)
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
            if entry is not None:
                given = _recorded_name(name, entry, closed=closed)
                entry["path"], work.result.path = printable(given), given if closed else name
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
        return work.result

    def _start(
        self, entries: list[Entry], reopened: Callable[[], AbstractContextManager[Any]]
    ) -> _Start:
        """Return where the new part of a log begins, by the hashes of its ingested parts."""
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
            # The last line had no line end. If the file has grown, it was incomplete: reread it.
            with reopened() as stream:
                blocks.read_exactly(stream, last["bytes"])
                more = bool(stream.read(1))
            if more:
                return _Start(last["start"], last["first_line"] - 1, last["begun"], (last,))
        return _Start(last["bytes"], last["first_line"] - 1 + last["lines"], last["state"])

    def _first_line(self, head: bytes) -> bytes | None:
        """Return the first line that is neither comment nor header; None if it is incomplete."""
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
        free = shutil.disk_usage(existing(self.store.root)).free
        wanted = 4 * path.stat().st_size
        if free < wanted:
            raise IngestError(
                f"{path}: only {free >> 20} MiB are free in {self.store.root}, ingest may need "
                f"{wanted >> 20} MiB; free disk space",
                transient=True,
            )

    def _read(
        self, work: _Work, key: str, head: bytes, start: _Start, lines: Lines
    ) -> Entry | None:
        """Read the new part of a log into a stage; return its entry, or None without new lines."""
        result, reader = work.result, None
        if start.offset:
            # The hash of an entry covers the log from its start.
            with work.reopened() as stream:
                blocks.read_exactly(stream, start.offset, lines.digest.update)
        after = lines.digest.hexdigest() if start.offset else ""
        for block in lines:
            if reader is None:
                context = Context(
                    self.source,
                    self._plans,
                    self._mapper,
                    self._log_of_lines(result.path),
                    self._zone,
                    result.path,
                )
                reader = open_reader(context, head, start.state)
                if not self.options.dry_run:
                    work.stage = self.store.stage()
            first = start.line + result.lines + 1
            parsed = reader.read(block, first)
            self._map(parsed, block, first, work)
            if result.refused >= HOPELESS and not result.rows and not result.skipped:
                break
        if reader is None:
            result.status = "known" if start.offset else "taken"
            return None
        self._judge(result, tail=start.offset > 0)
        result.check()
        for pipeline, hours in result.hours.items():
            for date, rows in _days(hours).items():
                if self._published(pipeline, date):
                    result.late[pipeline, date] = rows
        if result.skipped and not result.rows and not result.refused and _unused(result):
            result.status = "unused"
        return {
            "key": key,
            "source": self.source.name,
            "version": self.source.version,
            "sensor": self.options.sensor,
            "start": start.offset,
            "after": after,
            "bytes": start.offset + lines.length,
            "sha256": lines.digest.hexdigest(),
            "cut": lines.cut,
            "first_line": start.line + 1,
            "lines": result.lines,
            "begun": start.state,
            "state": reader.state,
            "taken": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            **result.counts(),
        }

    def _map(self, parsed: Parsed, block: bytes, first: int, work: _Work) -> None:
        """Map a block's fields, count its lines by outcome, and stage the rows."""
        result, refused = work.result, list(parsed.refused)
        for part in parsed.parts:
            plan = self._plans[part.log]
            mapped = self._mapper.map(plan, part.fields, work.latest, work.oldest)
            if part.gap is not None:
                why = f"this time does not exist in {self._zone}: check --timezone"
                gap = pc.and_(part.gap, mapped.refused.is_valid())
                mapped = replace(mapped, refused=pc.if_else(gap, why, mapped.refused))
            if mapped.refused.null_count < len(mapped.refused):
                refused.extend(_lines_refused(part.fields, mapped, block, first))
            if mapped.skipped.null_count < len(mapped.skipped):
                for found in pc.value_counts(mapped.skipped.drop_null()).to_pylist():
                    result.skipped[found["values"]] += found["counts"]
            self._bad_values(plan, part.bad, part.fields, mapped, result)
            if mapped.rows.num_rows == 0:
                continue
            pipeline = plan.pipeline
            hours, rows = np.unique(
                np.floor_divide(mapped.when.to_numpy(), HOUR), return_counts=True
            )
            result.rows[pipeline.name] += mapped.rows.num_rows
            result.hours.setdefault(pipeline.name, Counter()).update(
                dict(zip(hours.tolist(), rows.tolist(), strict=True))
            )
            newest = _instant(pc.max(mapped.when).as_py())
            result.newest[pipeline.name] = max(result.newest.get(pipeline.name, newest), newest)
            if work.stage is not None:
                with writable(self.store.root):
                    digits = pipeline.telemetry.digits
                    work.stage.add(pipeline.name, digits, mapped.rows, mapped.when)
        result.lines += parsed.lines
        result.ambiguous += parsed.ambiguous
        result.blank += parsed.blank
        result.comments += parsed.comments
        result.skipped.update(parsed.skipped)
        result.refused += len(refused)
        refused.sort(key=lambda found: found.line_no)
        result.examples.extend(refused[: max(0, EXAMPLES - len(result.examples))])
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
        result: Ingested,
    ) -> None:
        """Count values that became NULL in accepted lines."""
        if bad:
            taken = pc.is_in(fields["line_no"], mapped.line_no)
            for name, wrong in bad.items():
                count = pc.sum(pc.and_(wrong, taken)).as_py() or 0
                if count:
                    columns = (column for column, sql in plan.log.columns.items() if sql == name)
                    result.bad_values[next(columns, name)] += count
        result.bad_values.update(mapped.unfit)

    def _judge(self, result: Ingested, *, tail: bool) -> None:
        """Refuse a file that has another format.

        Raises:
            IngestError: Too many of its lines are refused.
        """
        tried = result.lines - result.blank - result.comments
        many = tried > FEW and result.refused > self.options.max_refused * tried
        nothing = result.refused and not result.rows and not result.skipped and not tail
        if not (many or nothing):
            return
        first = result.examples[0]
        share = f"{result.refused} of {tried} lines are refused"
        hint = f"; {self.source.hint}" if self.source.hint else ""
        raise IngestError(
            f"{result.path}: {share}: this is not a log of {self.source.title}, or much of it is "
            f"damaged; the first: line {first.line_no}, {first.reason}: "
            f"{printable(first.line[:120])}{hint}"
        )

    def _published(self, pipeline: str, date: dt.date) -> bool:
        return published_folder(self.settings.data_dir, Slice(pipeline, date)).is_dir()


def _recorded_name(name: str, entry: Mapping[str, Any], *, closed: bool) -> str:
    """Return the name to forget a log by: its absolute path, or of a pipe its content."""
    return f"stdin-{entry['sha256'][:16]}" if closed else str(Path(name).absolute())


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


def _unused(result: Ingested) -> bool:
    return all(reason.startswith("path ") for reason in result.skipped)
