"""Copies of lists on disk: one record per line, each read on its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from python_enrichers.context_files import ContextFile, naive_utc
from python_enrichers.reputation.base import Entry
from spot_oa.errors import EnrichmentError, printable


def write_records(path: Path, records: Iterable[object]) -> None:
    """Write records as JSON, one per line.

    Raises:
        OSError: The file cannot be written.
    """
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def read_records(
    name: str, path: Path, parse: Callable[[str], Entry | None]
) -> ContextFile[Entry] | None:
    """Read a file line by line.

    Args:
        name: The list's name.
        path: The file; it may be missing.
        parse: Makes an entry of a line, or None if it is none (a comment, metadata); raises
            LookupError, TypeError, ValueError or AttributeError if it is broken.

    Returns:
        The entries and how many lines were broken, or None if there is no file.

    Raises:
        EnrichmentError: The file is there and cannot be read.
    """
    entries: list[Entry] = []
    skipped = 0
    try:
        with path.open(encoding="utf-8-sig", errors="backslashreplace") as lines:
            written_at = naive_utc(os.fstat(lines.fileno()).st_mtime)
            for line in lines:
                if line.isspace():
                    continue
                try:
                    entry = parse(line)
                except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
                    skipped += 1
                else:
                    if entry:
                        entries.append(entry)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EnrichmentError(
            f"list {printable(path)} cannot be read ({error.strerror}); remove it"
        ) from error
    return ContextFile(name, entries, skipped, written_at)
