"""Find the files of a folder, and make every input a file that can be read twice."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from spot_oa.errors import IngestError
from spot_oa.ingest import blocks


def fill(stream: Any, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end of the stream."""
    parts, left = [], size
    while left and (chunk := stream.read(left)):
        parts.append(chunk)
        left -= len(chunk)
    return b"".join(parts)


@contextmanager
def regular(path: Path | None) -> Iterator[Path]:
    """Yield a file that can be read twice: copy standard input and pipes to a temporary file."""
    if path is not None:
        with suppress(OSError):
            if not stat.S_ISREG(path.stat().st_mode):
                with path.open("rb") as pipe, _kept(pipe) as file:
                    yield file
                return
        yield path
    else:
        with _kept(sys.stdin.buffer) as file:
            yield file


@contextmanager
def _kept(stream: Any) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(prefix="spot-oa-") as file:
        try:
            shutil.copyfileobj(stream, file, blocks.BLOCK)
            file.flush()
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise IngestError(f"{file.name}: {why}; free disk space, or set TMPDIR") from error
        yield Path(file.name)


def walk(folder: Path) -> Iterator[Path]:
    """Yield the regular files of a folder and its subfolders."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def existing(path: Path) -> Path:
    """Return the path, or its nearest parent that exists."""
    return next(parent for parent in (path, *path.absolute().parents) if parent.exists())
