"""Landing: load the first N good lines of the scorer's file as the slice of raw.<p>_results."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO, cast

import fsspec
import pyarrow as pa

from spot_oa.dates import Slice, parse_date
from spot_oa.errors import LandingError, printable, without_userinfo
from spot_oa.pipelines import Pipeline
from spot_oa.results_files import (
    ENDINGS,
    SUCCESS,
    UNFINISHED,
    ResultsFiles,
    file_state,
    find_results,
    http_status,
)
from spot_oa.results_reader import ResultsReader, SupportsRead, looks_like
from spot_oa.warehouse import Warehouse
from spot_oa.warehouse.tables import REJECTS, results_table

PORTION = 1 << 28
"""Minimum number of bytes per write: engines compress rows by the hundred thousand."""
CODECS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
"""First bytes of compressed files -> codec; results never begin with them."""
MAGIC_BYTES = 4


@dataclass(frozen=True, slots=True)
class Landed:
    """The result of a landing.

    `bad_values` counts values that became NULL, by column; `falls_at` is the first line with a
    lower score than the line before, 0 if scores ascend; `left_out` names files that are not read.
    """

    rows: int
    rejected: int
    bad_values: Mapping[str, int]
    invalid_utf8: int
    source_uri: str
    source_sha256: str
    falls_at: int = 0
    left_out: Sequence[str] = ()


def land(
    pipeline: Pipeline,
    part: Slice,
    ml_uri: str,
    limit: int,
    warehouse: Warehouse,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> Landed:
    """Replace the landed slice with the first good lines of the day's results.

    Args:
        pipeline: Describes the file.
        part: The slice to replace.
        ml_uri: Any fsspec URL or path; the parent of the results file or folder of part files.
        limit: Maximum number of good lines to land; 0 lands none.
        warehouse: Written in one transaction.
        progress: Called from time to time with a message.

    Returns:
        The counts, and where the results came from.

    Raises:
        LandingError: The file is missing or cannot be read, or no line is valid; the slice is
            unchanged.
        WarehouseError: The warehouse cannot be written; the slice is unchanged.
    """
    uri = pipeline.results_uri(ml_uri, part)
    where = f"{part}: ML results {printable(without_userinfo(uri))}"
    results = results_table(pipeline)
    with _faults(where):
        files = find_results(uri)
    source_uri = without_userinfo(files.uri)
    with closing(_streams(files, where)) as streams, ExitStack() as stack:
        # Open the first file before the warehouse, even with limit 0.
        first = list(islice(streams, 1))
        writer = stack.enter_context(warehouse.replacing(part, results, REJECTS))
        writer.fill(
            results,
            source_uri=source_uri,
            landed_at=dt.datetime.now(dt.UTC).replace(tzinfo=None),
        )
        reader = ResultsReader(chain(first, streams), pipeline.results, limit)
        for rows, rejects in _portions(reader):
            writer.append(results, rows)
            writer.append(REJECTS, rejects)
            progress(f"{reader.rows} rows landed, {reader.rejected} lines rejected")
        # If the limit stopped us before the end of the file, later changes do not matter.
        if reader.rows < limit and file_state(uri) != files.state:
            raise LandingError(
                f"{where}: changed while it was read; wait for the scorer to finish, and try again",
                transient=True,
            )
        if reader.rejected and not reader.rows:
            raise LandingError(f"{where}: {_nothing_taken(reader)}")
        writer.fill(results, source_sha256=reader.sha256)
    return Landed(
        rows=reader.rows,
        rejected=reader.rejected,
        bad_values={name: count for name, count in reader.bad_values.items() if count},
        invalid_utf8=reader.invalid_utf8,
        source_uri=source_uri,
        source_sha256=reader.sha256,
        falls_at=reader.falls_at,
        left_out=files.left_out,
    )


def _nothing_taken(reader: ResultsReader) -> str:
    number, reason = reader.first_rejected or (0, "")
    width = reader.results.width
    kind = looks_like(reader.first_bytes, width)
    return "; ".join(
        filter(
            None,
            (
                f"{reader.rejected} lines, none is valid (line {number}: {reason})",
                kind and f"it looks like {kind}",
                f"have the scorer write {width} fields separated by tabs, without header and "
                "quotes, in UTF-8 (gzip and zstd are read)",
            ),
        )
    )


def _portions(reader: ResultsReader) -> Iterator[tuple[pa.Table, pa.Table]]:
    blocks: list[tuple[pa.Table, pa.Table]] = []
    for block in reader:
        blocks.append(block)
        if sum(table.nbytes for tables in blocks for table in tables) >= PORTION:
            yield _joined(blocks)
            blocks = []
    if blocks:
        yield _joined(blocks)


def _joined(blocks: Sequence[tuple[pa.Table, pa.Table]]) -> tuple[pa.Table, pa.Table]:
    rows, rejects = zip(*blocks, strict=True)
    return pa.concat_tables(rows), pa.concat_tables(rejects)


def newest_results(pipeline: Pipeline, ml_uri: str) -> dt.date | None:
    """Return the newest day with results, or None.

    Raises:
        LandingError: The folder is missing or cannot be read.
    """
    root = pipeline.results_root(ml_uri)
    with _faults(without_userinfo(root)):
        system, path = fsspec.core.url_to_fs(root)
        names = (name.rstrip("/").rpartition("/")[2] for name in system.ls(path, detail=False))
        for name in sorted((name for name in names if re.fullmatch(r"\d{8}", name)), reverse=True):
            part = Slice(pipeline.name, parse_date(name))
            uri = pipeline.results_uri(ml_uri, part)
            if any(system.exists(fsspec.core.url_to_fs(uri + end)[1]) for end in ENDINGS):
                return part.date
    return None


def _streams(files: ResultsFiles, where: str) -> Generator[SupportsRead]:
    """Open the files in turn; detect compression by their first bytes."""
    single = len(files.paths) == 1
    for path in files.paths:
        place = where if single else f"{where}: {printable(path.rpartition('/')[2])}"
        with _faults(place):
            stream = files.system.open(path, "rb")
        with closing(stream):
            yield Source(stream, place).unpacked()


class Source:
    """An open results file; every read error becomes a LandingError that names the file."""

    closed = False

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self.where = where
        self._stream = stream
        self._begun = b""

    def read(self, size: int) -> bytes:
        """Read `size` bytes; fewer at the end."""
        with _faults(self.where):
            begun, self._begun = self._begun[:size], self._begun[size:]
            return begun + self._stream.read(size - len(begun))

    def close(self) -> None:
        """Do nothing: the caller closes the stream that it opened."""

    def unpacked(self) -> SupportsRead:
        """Return the decompressed content."""
        self._begun = self.read(MAGIC_BYTES)
        codec = next(
            (codec for magic, codec in CODECS.items() if self._begun.startswith(magic)), ""
        )
        return _Unpacked(self, codec) if codec else self


class _Unpacked:
    """A compressed file, decompressed while it is read."""

    def __init__(self, source: Source, codec: str) -> None:
        self.where = source.where
        self._codec = codec
        self._stream = pa.CompressedInputStream(pa.PythonFile(source, "r"), codec)

    def read(self, size: int) -> bytes:
        try:
            return cast("bytes", self._stream.read(size))
        except OSError as error:
            raise LandingError(
                f"{self.where}: its {self._codec} data is broken ({printable(error)}); "
                "wait for the scorer to finish, or write the file again",
                transient=True,
            ) from error


@contextmanager
def _faults(where: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise LandingError(
            f"{where}: no such file; run the scorer for that day, or correct SPOT_OA_ML_URI"
        ) from error
    except IsADirectoryError as error:
        raise LandingError(
            f"{where}: is a folder without part files; write a file, or part files (part-*) into it"
        ) from error
    except BlockingIOError as error:
        raise LandingError(
            f"{where}: a job is writing it or has crashed ({UNFINISHED} and no {SUCCESS}); "
            "wait for the scorer to finish, or write it again",
            transient=True,
        ) from error
    except LandingError:
        raise
    except Exception as error:
        status = http_status(error)
        if isinstance(error, PermissionError) or status in {401, 403}:
            raise LandingError(f"{where}: permission denied; let this user read it") from error
        if isinstance(error, (ValueError, ImportError)):
            raise LandingError(
                f"{where}: {printable(error)}; correct SPOT_OA_ML_URI or install the file system"
            ) from error
        # WebHDFS raises RuntimeError for name node errors, for example on standby.
        reason = f"{type(error).__name__} {status or printable(error)}"
        raise LandingError(
            f"{where}: cannot be read ({reason}); try again", transient=True
        ) from error
