"""Small CSV files that operators write by hand; invalid lines are counted and skipped."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Generic, TextIO, TypeVar

from python_enrichers.base import Outcome, Status
from spot_oa.errors import EnrichmentError, printable

Entry = TypeVar("Entry")
MANY_SKIPPED = 0.1
"""Share of invalid lines above which the run's warning gives the reason."""
LINES_AT_A_TIME = 256
"""Lines that the CSV reader gets at a time; after an open quote it restarts at the next line."""
LINES_OF_A_FIELD = 1000
"""A quote that is not closed within this many lines counts as a stray quote."""
SHOWN = 80
"""Maximum number of characters of a line in a message."""
_NAME = re.compile(r"#?\s*[^\W\d][\w\s/()#-]*")


@dataclass(frozen=True, slots=True)
class ContextFile(Generic[Entry]):
    """The content of a context file.

    `skipped` counts invalid lines, `first_skipped` is the first one with the reason; `written_at`
    is in UTC, without a zone.
    """

    name: str
    entries: Sequence[Entry]
    skipped: int
    written_at: dt.datetime
    first_skipped: str = ""
    incomplete: str = ""
    """What is missing in the file, and how to get it."""

    def outcome(self, asked: int, found: int) -> Outcome:
        """Return the file's outcome for `asked` indicators, of which it had `found`."""
        detail = f"entries: {len(self.entries)}, written {self.written_at.date()}"
        many = self.skipped > MANY_SKIPPED * (self.skipped + len(self.entries))
        return Outcome(
            self.name,
            Status.PARTIAL if self.incomplete else Status.OK,
            asked=asked,
            found=found,
            skipped=self.skipped,
            first_skipped=self.first_skipped if many else "",
            detail=", ".join(filter(None, (detail, self.incomplete))),
        )


def naive_utc(timestamp: float) -> dt.datetime:
    """Convert seconds since 1970 to UTC without a zone, as the warehouse stores times."""
    return dt.datetime.fromtimestamp(timestamp, dt.UTC).replace(tzinfo=None)


def read_context_file(
    path: Path, parse: Callable[[list[str]], Entry], form: str
) -> ContextFile[Entry] | None:
    """Read a CSV file as in RFC 4180, and skip invalid lines.

    A quoted field can contain separators and line ends; a quote that is never closed ends with its
    line. Blank lines are skipped, and so is the first line if it is invalid and looks like a
    header. Bytes that are not UTF-8 become backslash escapes; a file with a UTF-16 byte order mark
    is read as UTF-16.

    Args:
        path: The file; it may be missing.
        parse: Converts the columns of a line, without blanks around them, to an entry; raises
            ValueError with the reason for an invalid line.
        form: The expected form of a line, for the message that no line is valid.

    Returns:
        Entries in file order, or None if the file is missing.

    Raises:
        EnrichmentError: The file cannot be read, or all its lines are invalid.
    """
    entries: list[Entry] = []
    skipped: list[tuple[int, list[str], str]] = []
    count = 0
    header: tuple[int, list[str]] | None = None
    try:
        with open_text(path) as lines:
            written_at = naive_utc(os.fstat(lines.fileno()).st_mtime)
            for number, columns in split_lines(lines):
                try:
                    entries.append(parse(columns))
                except ValueError as error:
                    if not (entries or skipped or header) and _is_header(columns):
                        header = number, columns
                        continue
                    count += 1
                    skipped = skipped or [(number, columns, str(error))]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EnrichmentError(
            f"context file {printable(path)} cannot be read ({error.strerror}); "
            "make it a readable file or remove it"
        ) from error
    if header and len(header[1]) == 1 and not entries and not skipped:
        # A single word is an invalid line rather than the header of an empty file.
        count, skipped, header = 1, [(*header, "there is one column only")], None
    first = _described(*skipped[0]) if skipped else ""
    if skipped and not entries:
        after = f" after the header '{_shown(header[1])}'" if header else ""
        raise EnrichmentError(
            f"context file {printable(path)}: {count} lines{after}, none can be used ({first}); "
            f"write lines as {form}, or remove the file"
        )
    return ContextFile(path.stem, entries, count, written_at, first)


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a handwritten or exported file: UTF-8, or UTF-16 if it has that byte order mark."""
    with path.open("rb") as file:
        wide = file.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        encoding = "utf-16" if wide else "utf-8-sig"
        with io.TextIOWrapper(file, encoding, errors="backslashreplace") as lines:
            yield lines


def split_lines(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Split CSV lines into columns, without blanks around them.

    Returns:
        For each record the number of its first line, from 1, and its columns: empty if one of them
        is too long. Blank lines are omitted.
    """
    lines = iter(lines)
    number = 1
    ahead: list[str] = []
    while ahead := ahead or list(islice(lines, LINES_AT_A_TIME)):
        used = 0
        reader = csv.reader(ahead, skipinitialspace=True)
        with suppress(csv.Error):
            # The last line is handled below, as it may have an open quote.
            for row in islice(reader, len(ahead) - 1):
                if reader.line_num > used + 1:
                    break
                if not ahead[used].isspace():
                    yield number + used, list(map(str.strip, row))
                used += 1
        ahead, number = ahead[used:], number + used
        row, taken = _record(ahead, lines)
        if not ahead[0].isspace():
            yield number, list(map(str.strip, row))
        ahead, number = ahead[taken:], number + taken


def _record(ahead: list[str], lines: Iterator[str]) -> tuple[list[str], int]:
    """Return the first record of `ahead`, which grows as needed, and its number of lines."""
    for count in (1, LINES_OF_A_FIELD):
        ahead.extend(islice(lines, max(0, count - len(ahead))))
        reader = csv.reader(ahead[:count], skipinitialspace=True, strict=True)
        with suppress(csv.Error):
            return next(reader), reader.line_num
    with suppress(csv.Error):
        return next(csv.reader(ahead[:1], skipinitialspace=True)), 1
    return [], 1


def _is_header(columns: list[str]) -> bool:
    """Return whether columns look like names, not like addresses, numbers or garbage."""
    first, *others = columns or [""]
    return bool(_NAME.fullmatch(first)) and all(not x or _NAME.fullmatch(x) for x in others)


def _described(number: int, columns: list[str], reason: str) -> str:
    text = _shown(columns)
    hints = {"\0": "is it UTF-16?", ";": "commas are needed", "\t": "commas are needed"}
    whole = ",".join(columns)
    hint = next((hint for mark, hint in hints.items() if mark in whole), "")
    return f"line {number}, '{text}': {'; '.join(filter(None, (_cut(reason), hint)))}"


def _shown(columns: list[str]) -> str:
    return _cut(",".join(columns))


def _cut(text: str) -> str:
    return printable(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
