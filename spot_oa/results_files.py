"""Find the results of a day: a file, compressed or not, or a folder of part files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import fsspec

ENDINGS = ("", ".gz", ".zst")
"""Suffixes of a results file; the first existing file is read."""
SUCCESS = "_SUCCESS"
"""File that Spark writes when a folder is complete."""
UNFINISHED = "_temporary"
"""Folder that Spark writes into before that."""
HTTP_NOT_FOUND = 404
STAMPS = ("mtime", "modificationTime", "LastModified", "last_modified", "updated", "ETag", "etag")
"""File systems' names for the modification time, or for a mark that changes with the content."""


@dataclass(frozen=True, slots=True)
class ResultsFiles:
    """The files that make up the results of a day.

    Attributes:
        system: The file system of the files.
        uri: The file or the folder.
        paths: The files in reading order.
        left_out: Names of other files there that are not read.
        state: A value that changes when a file changes; empty if not known.
    """

    system: Any
    uri: str
    paths: Sequence[str]
    left_out: Sequence[str]
    state: Mapping[str, Mapping[str, str]]


def find_results(uri: str) -> ResultsFiles:
    """Find the files of a day.

    Args:
        uri: Any fsspec URL or path of the file that the scorer writes, or of the folder into which
            Spark writes its parts under that name.

    Returns:
        The files. Without results, `paths` has the missing file: opening it raises the error.

    Raises:
        IsADirectoryError: The path is a folder without part files.
        BlockingIOError: A job is still writing to the folder.
        Exception: Whatever error the file system raises.
    """
    system, path = fsspec.core.url_to_fs(uri)
    system.invalidate_cache()
    for ending in ENDINGS:
        try:
            info = system.info(path + ending)
        except FileNotFoundError as error:
            # Over HTTP every failed request raises this, with the real error as its cause.
            if http_status(error.__cause__) in (None, HTTP_NOT_FOUND):
                continue
            raise cast("BaseException", error.__cause__) from None
        if info.get("type") == "directory":
            return _parts(system, uri + ending, path + ending)
        others = [other for other in ENDINGS if other != ending and system.exists(path + other)]
        names = [_name(path + other) for other in others]
        return ResultsFiles(system, uri + ending, [path + ending], names, _state([info]))
    return ResultsFiles(system, uri, [path], (), {})


def file_state(uri: str) -> Mapping[str, Mapping[str, str]]:
    """Return modification times and sizes of the files of a day; empty if not known.

    Args:
        uri: As for `find_results`.
    """
    try:
        return find_results(uri).state
    except (OSError, RuntimeError, ValueError, ImportError):
        return {}  # Landing will report the error.


def http_status(error: object) -> int | None:
    """Return the HTTP status of a file system's error, or None."""
    status = getattr(error, "status", None)
    return status or getattr(getattr(error, "response", None), "status_code", None)


def _parts(system: Any, uri: str, path: str) -> ResultsFiles:
    entries = {_name(entry["name"]): entry for entry in system.ls(path, detail=True)}
    if UNFINISHED in entries and SUCCESS not in entries:
        raise BlockingIOError(path)
    visible = sorted(name for name in entries if not name.startswith((".", "_")))
    parts = [
        name
        for name in visible
        if name.startswith("part-") and entries[name].get("type") != "directory"
    ]
    if not parts and SUCCESS not in entries:
        raise IsADirectoryError(path)
    left_out = [f"{_name(path)}/{name}" for name in visible if name not in parts]
    stated = [entries[name] for name in (*parts, SUCCESS) if name in entries]
    return ResultsFiles(
        system, uri, [entries[name]["name"] for name in parts], left_out, _state(stated)
    )


def _state(entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, str]]:
    found = dict(_stamps(entries))
    return found if all(found.values()) else {}


def _stamps(entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, str]]]:
    for entry in entries:
        stamps = {name: str(entry[name]) for name in STAMPS if entry.get(name) is not None}
        yield _name(entry["name"]), stamps and {**stamps, "size": str(entry.get("size"))}


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
