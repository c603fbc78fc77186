"""Read and write copies of lists: one record per line, parsed separately."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from python_enrichers.base import SourceError, Status
from python_enrichers.context_files import ContextFile, naive_utc
from python_enrichers.reputation.base import Entry
from spot_oa.errors import printable

LINES_OF_A_RECORD = 100
"""A quote that is not closed within this many lines counts as a stray quote."""
_SHOWN = 60


def write_records(path: Path, records: Iterable[object]) -> None:
    """Write records as JSON, one per line.

    Raises:
        OSError: The file cannot be written.
    """
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def read_records(
    name: str,
    path: Path,
    parse: Callable[[str], Entry | None],
    *,
    is_csv: bool = False,
    shown_as: str = "it",
) -> ContextFile[Entry] | None:
    """Read a file record by record.

    Args:
        name: The list's name.
        path: The file; it may be missing.
        parse: Converts a record to an entry, or None for comments and metadata; raises
            LookupError, TypeError, ValueError or AttributeError for an invalid record.
        is_csv: Whether a quoted record can span several lines; otherwise each line is a record.
        shown_as: The file's name in messages.

    Returns:
        The entries and the number of invalid records, or None if the file is missing.

    Raises:
        SourceError: The file cannot be read, or has no entry.
    """
    entries: list[Entry] = []
    skipped, first = 0, ""
    try:
        with path.open(encoding="utf-8-sig", errors="backslashreplace") as lines:
            written_at = naive_utc(os.fstat(lines.fileno()).st_mtime)
            for number, record in _csv_records(lines) if is_csv else enumerate(lines, 1):
                if record.isspace():
                    continue
                try:
                    entry = parse(record)
                except (
                    LookupError,
                    TypeError,
                    ValueError,
                    AttributeError,
                    RecursionError,
                ) as error:
                    skipped += 1
                    first = first or f"line {number}, {_shown(record)}: {_reason(error, record)}"
                else:
                    if entry:
                        entries.append(entry)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = f"the copy {path} cannot be read ({error.strerror}): remove it"
        raise SourceError(Status.UNAVAILABLE, reason) from None
    if not entries:
        reason = f"{skipped} lines, none is valid: {first}" if skipped else "no entry"
        raise SourceError(Status.MALFORMED, f"{shown_as} has {reason}")
    return ContextFile(name, entries, skipped, written_at, first)


def _csv_records(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Join the lines of each CSV record, with the number of the first line.

    A quote that is not closed properly ends with its line.
    """
    ahead: list[str] = []
    lines = iter(lines)
    number = 1
    while record := ahead.pop(0) if ahead else next(lines, ""):
        taken = 1
        if record.count('"') % 2:
            ahead += islice(lines, LINES_OF_A_RECORD - len(ahead))
            open_quotes = 1
            for end, line in enumerate(ahead, 1):
                open_quotes += line.count('"')
                if open_quotes % 2 == 0:
                    whole = record + "".join(ahead[:end])
                    if _is_proper(whole):
                        record, taken = whole, end + 1
                        del ahead[:end]
                    break
        yield number, record
        number += taken


def _is_proper(record: str) -> bool:
    try:
        next(csv.reader([record], strict=True, skipinitialspace=True))
    except csv.Error:
        return False
    return True


def _shown(record: str) -> str:
    text = record.strip()
    return repr(printable(text[:_SHOWN] + ("..." if text[_SHOWN:] else "")))


def _reason(error: Exception, record: str) -> str:
    if "\0" in record:
        return "it has NUL bytes, like UTF-16 or compressed files; it must be UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return "it is not JSON"
    if isinstance(error, KeyError):
        return f"it has no {error}"
    if isinstance(error, IndexError):
        return "it has too few columns"
    # Subclasses such as UnicodeError have long messages.
    is_ours = type(error) is ValueError
    return str(error) if is_ours else "it has an unknown format"
