"""Copies of lists on disk: one record per line, each read on its own."""

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
"""A quoted field that is not closed after so many lines is taken for a stray quote."""
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
        parse: Makes an entry of a record, or None if it is none (a comment, metadata); raises
            LookupError, TypeError, ValueError or AttributeError if it is broken.
        is_csv: Whether a record may run over several lines within quotes; else each is a line.
        shown_as: What an operator knows the file as.

    Returns:
        The entries, and how many records were broken, or None if there is no file.

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
        reason = f"none of its {skipped} lines can be used: {first}" if skipped else "no entry"
        raise SourceError(Status.MALFORMED, f"{shown_as} has {reason}")
    return ContextFile(name, entries, skipped, written_at, first)


def _csv_records(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Put the lines of each CSV record together, with the number of the first.

    A quote that is not closed in a proper way ends with its line.
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
        return "it has NUL bytes, as UTF-16 and compressed files have: it has to be UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return "it is no JSON"
    if isinstance(error, KeyError):
        return f"it has no {error}"
    if isinstance(error, IndexError):
        return "it has too few columns"
    # A text that is no UTF-8 is a ValueError with a long story.
    is_ours = type(error) is ValueError
    return str(error) if is_ours else "it is of no known form"
