"""Landing: the first N good lines of the scorer's file become the slice of raw.<p>_results."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import fsspec
import pyarrow as pa

from spot_oa.dates import Slice, parse_date
from spot_oa.errors import LandingError, printable
from spot_oa.fingerprint import file_state
from spot_oa.pipelines import Pipeline
from spot_oa.results_reader import ResultsReader
from spot_oa.warehouse import Warehouse
from spot_oa.warehouse.tables import REJECTS, results_table

PORTION = 1 << 28
"""Bytes that are written at once at least: engines compress rows by the hundred thousand."""


@dataclass(frozen=True, slots=True)
class Landed:
    """What a landing took. `bad_values` counts values made NULL, by column."""

    rows: int
    rejected: int
    bad_values: Mapping[str, int]
    invalid_utf8: int
    source_uri: str
    source_sha256: str


def land(
    pipeline: Pipeline,
    part: Slice,
    ml_uri: str,
    limit: int,
    warehouse: Warehouse,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> Landed:
    """Replace the landed slice with the first good lines of the day's results file.

    Args:
        pipeline: Describes the file.
        part: The slice to replace.
        ml_uri: Any fsspec URL or path; the file lies below it.
        limit: How many good lines to take; 0 takes none.
        warehouse: Written in one transaction.
        progress: Told now and then how far landing is.

    Returns:
        What was taken.

    Raises:
        LandingError: The file is missing or cannot be read; the slice is as it was.
        WarehouseError: The warehouse cannot be written; the slice is as it was.
    """
    uri = pipeline.results_uri(ml_uri, part)
    before = file_state(uri)
    results = results_table(pipeline)
    with _open(uri, part) as stream, warehouse.replacing(part, results, REJECTS) as writer:
        writer.fill(
            results,
            source_uri=without_userinfo(uri),
            landed_at=dt.datetime.now(dt.UTC).replace(tzinfo=None),
        )
        reader = ResultsReader(stream, pipeline.results, limit)
        for rows, rejects in _portions(reader):
            writer.append(results, rows)
            writer.append(REJECTS, rejects)
            progress(f"{reader.rows} rows landed, {reader.rejected} lines rejected")
        # Lines taken before the limit are what they are; but at its end a file has to be whole.
        if reader.rows < limit and file_state(uri) != before:
            raise LandingError(
                f"{stream.where}: changed while it was read; wait for the scorer to end, try again",
                transient=True,
            )
        writer.fill(results, source_sha256=reader.sha256)
    return Landed(
        rows=reader.rows,
        rejected=reader.rejected,
        bad_values={name: count for name, count in reader.bad_values.items() if count},
        invalid_utf8=reader.invalid_utf8,
        source_uri=without_userinfo(uri),
        source_sha256=reader.sha256,
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
    """The newest day of which there are results; None if there is none.

    Raises:
        LandingError: The folder is missing or cannot be read.
    """
    root = pipeline.results_root(ml_uri)
    with _faults(without_userinfo(root)):
        system, path = fsspec.core.url_to_fs(root)
        names = (name.rstrip("/").rpartition("/")[2] for name in system.ls(path, detail=False))
        for name in sorted((name for name in names if re.fullmatch(r"\d{8}", name)), reverse=True):
            part = Slice(pipeline.name, parse_date(name))
            if system.exists(fsspec.core.url_to_fs(pipeline.results_uri(ml_uri, part))[1]):
                return part.date
    return None


@dataclass(frozen=True, slots=True)
class _Source:
    """An open results file whose every fault is a LandingError that names it."""

    stream: BinaryIO
    where: str

    def read(self, size: int) -> bytes:
        with _faults(self.where):
            return self.stream.read(size)


@contextmanager
def _open(uri: str, part: Slice) -> Iterator[_Source]:
    where = f"{part}: ML results {printable(without_userinfo(uri))}"
    with ExitStack() as stack:
        with _faults(where):
            system, path = fsspec.core.url_to_fs(uri)
            # Some file systems open a folder as an empty file: a day without suspects it is not.
            if system.isdir(path):
                raise IsADirectoryError(path)
            stream = stack.enter_context(system.open(path, "rb"))
        yield _Source(stream, where)


@contextmanager
def _faults(where: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise LandingError(
            f"{where}: no such file; run the scorer for that day, or correct SPOT_OA_ML_URI"
        ) from error
    except IsADirectoryError as error:
        raise LandingError(f"{where}: is a folder, a file is needed") from error
    except Exception as error:
        status = getattr(error, "status", None)
        status = status or getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(error, PermissionError) or status in {401, 403}:
            raise LandingError(f"{where}: permission denied; let this user read it") from error
        if isinstance(error, (ValueError, ImportError)):
            raise LandingError(
                f"{where}: {printable(error)}; correct SPOT_OA_ML_URI or install the file system"
            ) from error
        # WebHDFS reports what the name node says, as when it is on standby, by RuntimeError.
        reason = f"{type(error).__name__} {status or printable(error)}"
        raise LandingError(
            f"{where}: cannot be read ({reason}); try again", transient=True
        ) from error


def without_userinfo(uri: str) -> str:
    """A URI without the user and password that it may hold, for messages and tables."""
    scheme, separator, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}" if separator else uri
