"""Write files atomically on any fsspec file system: readers see the old or the new content."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import fsspec

WRITE_ERRORS = (OSError, ValueError, ImportError, RuntimeError, NotImplementedError)
"""Errors that file systems raise for failed writes."""


def write_whole(uri: str, data: bytes) -> None:
    """Write a file; by a temporary name and a rename if the file system has renames.

    Args:
        uri: An fsspec URL or a path; missing folders are created.
        data: The content of the file.

    Raises:
        WRITE_ERRORS: The file cannot be written; the old file is unchanged.
    """
    system, path = fsspec.core.url_to_fs(uri)
    folder, _, name = path.rpartition("/")
    system.makedirs(folder, exist_ok=True)
    if "file" in _protocols(system):
        _replace(Path(path), data)
    elif _protocols(system) & {"memory", "s3", "gs", "gcs", "abfs", "az"}:
        # Object stores write atomically.
        system.pipe_file(path, data)
    else:
        draft = f"{folder}/.{name}.new"
        system.pipe_file(draft, data)
        # HDFS cannot rename onto an existing file.
        with suppress(FileNotFoundError):
            system.rm_file(path)
        system.mv(draft, path)
        if system.exists(draft) or not system.exists(path):
            raise OSError("the file could not be renamed")


def read_whole(uri: str) -> bytes | None:
    """Return the content of a file, or None if it does not exist.

    Raises:
        WRITE_ERRORS: The file cannot be read.
    """
    system, path = fsspec.core.url_to_fs(uri)
    system.invalidate_cache()
    try:
        content: bytes = system.cat_file(path)
    except FileNotFoundError:
        return None
    return content


def _protocols(system: fsspec.AbstractFileSystem) -> set[str]:
    protocol = system.protocol
    return {protocol} if isinstance(protocol, str) else set(protocol)


def _replace(path: Path, data: bytes) -> None:
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            # The usual permissions, because other users read the file.
            os.fchmod(handle, 0o644)
            file.write(data)
            file.flush()
            os.fsync(handle)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
