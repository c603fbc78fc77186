"""Read a log, compressed or not, in blocks of complete lines."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from isal.igzip import IGzipFile
from isal.igzip_lib import IsalError

from spot_oa.errors import IngestError, printable
from spot_oa.lines import whole_lines

BLOCK = 1 << 23
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}


def compression(path: Path) -> str | None:
    """Return the compression of a file by its first bytes, or None."""
    with path.open("rb") as file:
        head = file.read(4)
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


class _Stream:
    """A log's decompressed bytes; read errors become an `IngestError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            self._raw = pa.OSFile(str(path), "rb")
            self._stream = _decompressed(self._raw, compression(path))

    def read(self, size: int) -> bytes:
        """Return the next bytes; empty at the end."""
        with self._errors():
            read: bytes = self._stream.read(size)
            return read

    def tell(self) -> int:
        """Return how many bytes of the file itself were read."""
        place: int = self._raw.tell()
        return place

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        self._raw.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, IsalError) as error:  # type: ignore[misc]
            number = error.errno if isinstance(error, OSError) else None
            why = printable(os.strerror(number) if number else error)
            advice = (
                "check its permissions" if number else "it is cut off or damaged: fetch it again"
            )
            raise IngestError(
                f"{printable(self._path)}: {why}; {advice}", transient=bool(number)
            ) from error


def _decompressed(raw: pa.NativeFile, kind: str | None) -> Any:
    if kind == "gzip":
        # It takes half the time of zlib, which Arrow uses.
        return IGzipFile(fileobj=raw)  # type: ignore[no-untyped-call]
    return pa.CompressedInputStream(raw, kind) if kind else raw


@contextmanager
def opened(path: Path) -> Iterator[_Stream]:
    """Open a log; yield its decompressed bytes.

    Raises:
        IngestError: The file cannot be read, or its compressed data is cut off.
    """
    stream = _Stream(path)
    try:
        yield stream
    finally:
        stream.close()


@dataclass(slots=True)
class Lines:
    """Cuts a stream into blocks that end at a line's end; iterate once.

    Attributes:
        stream: The source of the bytes.
        name: The stream's name, for messages.
        whole: Whether to yield a last line without a line end.
        block: Approximate number of bytes of a block.
        progress: Called with the stream's position after each read.
        digest: Hash of all yielded blocks.
        length: Number of bytes of all yielded blocks.
        cut: Whether the last yielded line had no line end.
        waiting: Number of bytes of a last line that was not yielded.
    """

    stream: Any
    name: str
    whole: bool = True
    block: int = BLOCK
    progress: Callable[[int], None] | None = None
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    length: int = 0
    cut: bool = False
    waiting: int = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in whole_lines(self._chunks(), self._too_long):
            if not block.endswith(b"\n"):
                if not self.whole:
                    self.waiting = len(block)
                    return
                self.cut = True
            yield self._count(block)

    def _chunks(self) -> Iterator[bytes]:
        while chunk := self.stream.read(self.block):
            if self.progress:
                self.progress(self.stream.tell())
            yield chunk

    def _too_long(self, length: int) -> IngestError:
        return IngestError(
            f"{self.name}: a line is longer than {length} bytes: this is not a log; "
            "ingest another file"
        )

    def _count(self, block: bytes) -> bytes:
        self.digest.update(block)
        self.length += len(block)
        return block


def read_exactly(stream: Any, count: int, use: Callable[[bytes], object] = lambda _: None) -> None:
    """Read up to `count` bytes of a stream, and pass them to `use`."""
    while count > 0 and (chunk := stream.read(min(count, BLOCK))):
        use(chunk)
        count -= len(chunk)


def prefixes(stream: Any, lengths: list[int]) -> Iterator[tuple[int, str]]:
    """Hash prefixes of a stream; skip prefixes longer than the stream.

    Args:
        stream: The bytes.
        lengths: The lengths of the prefixes, ascending.

    Yields:
        The length of a prefix, and its SHA-256.
    """
    digest, done = hashlib.sha256(), 0
    for length in lengths:
        while done < length:
            chunk = stream.read(min(length - done, BLOCK))
            if not chunk:
                return
            digest.update(chunk)
            done += len(chunk)
        yield length, digest.copy().hexdigest()
