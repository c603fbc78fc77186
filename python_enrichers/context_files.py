"""Small CSV files that operators write by hand: nothing in a line is fatal."""

from __future__ import annotations

import csv
import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

from python_enrichers.base import Outcome
from spot_oa.errors import EnrichmentError, printable

Entry = TypeVar("Entry")
MANY_SKIPPED = 0.1
"""The part of a file's lines that may be unusable before the run's warning says why."""
LINES_AT_A_TIME = 256
"""What the CSV reader is given at a time; after an open quote it begins anew with the next line."""


@dataclass(frozen=True, slots=True)
class ContextFile(Generic[Entry]):
    """What a context file holds.

    `skipped` counts the lines that could not be used, `first_skipped` is the first of them and why;
    `written_at` is in UTC, without a zone.
    """

    name: str
    entries: Sequence[Entry]
    skipped: int
    written_at: dt.datetime
    first_skipped: str = ""

    def outcome(self, asked: int, found: int) -> Outcome:
        """Say how the file fared for `asked` indicators, of which it knew `found`."""
        detail = f"entries: {len(self.entries)}, written {self.written_at.date()}"
        many = self.skipped > MANY_SKIPPED * (self.skipped + len(self.entries))
        return Outcome(
            self.name,
            asked=asked,
            found=found,
            skipped=self.skipped,
            first_skipped=self.first_skipped if many else "",
            detail=detail,
        )


def naive_utc(timestamp: float) -> dt.datetime:
    """Turn seconds since 1970 into a UTC time as the warehouse stores it, without a zone."""
    return dt.datetime.fromtimestamp(timestamp, dt.UTC).replace(tzinfo=None)


def read_context_file(path: Path, parse: Callable[[list[str]], Entry]) -> ContextFile[Entry] | None:
    """Read a CSV file line by line, each line on its own.

    A quote that is never closed therefore ends with its line. Blank lines are skipped, and so is
    the first line if it does not parse: it is a header. Bytes that are no UTF-8 are kept as
    backslash escapes.

    Args:
        path: The file; it may be missing.
        parse: Makes an entry of a line's columns, blanks around them removed; raises ValueError
            if the line is of no use.

    Returns:
        Entries in the order of the file, or None if there is no file.

    Raises:
        EnrichmentError: The file is there and cannot be read.
    """
    entries: list[Entry] = []
    skipped = 0
    header_possible = True
    try:
        with path.open(encoding="utf-8-sig", errors="backslashreplace") as lines:
            written_at = naive_utc(os.fstat(lines.fileno()).st_mtime)
            for columns in _rows(lines):
                try:
                    entries.append(parse(columns))
                except ValueError:
                    skipped += not header_possible
                header_possible = False
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EnrichmentError(
            f"context file {printable(path)} cannot be read ({error.strerror}); "
            "make it a readable file or remove it"
        ) from error
    return ContextFile(path.stem, entries, skipped, written_at)


def _rows(lines: Iterable[str]) -> Iterator[list[str]]:
    """Split lines that are not blank into columns, each line on its own; none if it is too long."""
    lines = iter(lines)
    while ahead := list(islice(lines, LINES_AT_A_TIME)):
        while ahead:
            used = 0
            reader = csv.reader(ahead, skipinitialspace=True)
            try:
                for row in reader:
                    used += 1
                    if reader.line_num > used:
                        # A quote was left open and took the next line in.
                        alone = csv.reader([ahead[used - 1]], skipinitialspace=True)
                        yield list(map(str.strip, next(alone)))
                        break
                    if not ahead[used - 1].isspace():
                        yield list(map(str.strip, row))
            except csv.Error:
                used += 1
                yield []
            ahead = ahead[used:]
