"""Where the results of a day are: in a file, compressed or not, or in a folder of part files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import fsspec

ENDINGS = ("", ".gz", ".zst")
"""What may stand behind the name of a results file; the first that is there is read."""
SUCCESS = "_SUCCESS"
"""What Spark writes last into a folder that is whole."""
UNFINISHED = "_temporary"
"""Where Spark writes before that."""
HTTP_NOT_FOUND = 404
STAMPS = ("mtime", "modificationTime", "LastModified", "last_modified", "updated", "ETag", "etag")
"""What file systems call the time of change, or a mark that changes with the content."""


@dataclass(frozen=True, slots=True)
class ResultsFiles:
    """The files that make up the results of a day.

    Attributes:
        system: The file system on which they lie.
        uri: The file or the folder.
        paths: The files in the order in which they are read.
        left_out: Names beside them that are not read.
        state: What changes when one of the files does; empty if that is not known.
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
        The files. If there is nothing, `paths` has the one that is missing: opening it tells why.

    Raises:
        IsADirectoryError: It is a folder, and not one of part files.
        BlockingIOError: It is a folder into which a job is still writing.
        Exception: Whatever the file system raises if it cannot be asked.
    """
    system, path = fsspec.core.url_to_fs(uri)
    system.invalidate_cache()
    for ending in ENDINGS:
        try:
            info = system.info(path + ending)
        except FileNotFoundError as error:
            # Over HTTP every answer but a good one comes as this, with the real fault behind it.
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
    """When the files of a day were changed, and their sizes; empty if that is not known.

    Args:
        uri: As for `find_results`.
    """
    try:
        return find_results(uri).state
    except (OSError, RuntimeError, ValueError, ImportError):
        return {}  # Landing will say what is wrong.


def http_status(error: object) -> int | None:
    """The status of the answer that an error of a file system stands for, if there was one."""
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
    told = [entries[name] for name in (*parts, SUCCESS) if name in entries]
    return ResultsFiles(
        system, uri, [entries[name]["name"] for name in parts], left_out, _state(told)
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
