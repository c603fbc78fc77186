"""Bytes of a log as blocks of whole lines, whatever it is compressed with."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from spot_oa.errors import IngestError, printable
from spot_oa.lines import whole_lines

BLOCK = 1 << 23
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}


def compression(path: Path) -> str | None:
    """What a file is compressed with, by its first bytes; None if it is not."""
    with path.open("rb") as file:
        head = file.read(4)
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


class _Stream:
    """A log's bytes, decompressed; what goes wrong while they are read is an `IngestError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            self._raw = pa.OSFile(str(path), "rb")
            kind = compression(path)
            self._stream = pa.CompressedInputStream(self._raw, kind) if kind else self._raw

    def read(self, size: int) -> bytes:
        """The next bytes; none at the end."""
        with self._errors():
            read: bytes = self._stream.read(size)
            return read

    def tell(self) -> int:
        """How many bytes of the file itself were read."""
        place: int = self._raw.tell()
        return place

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()
        self._raw.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = printable(os.strerror(error.errno) if error.errno else error)
            advice = (
                "let it be read" if error.errno else "it breaks off or is damaged: fetch it again"
            )
            raise IngestError(
                f"{printable(self._path)}: {why}; {advice}", transient=bool(error.errno)
            ) from error


@contextmanager
def opened(path: Path) -> Iterator[_Stream]:
    """A log's bytes, decompressed.

    Raises:
        IngestError: It cannot be read, or what is compressed breaks off.
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
        stream: Where the bytes come from.
        name: What to call it in messages.
        whole: Whether the last line counts although no line end follows it.
        block: About how many bytes a block has.
        progress: Given the stream's place after each block.
        digest: Hash of all blocks handed out.
        length: Their bytes.
        cut: Whether the last line handed out had no line end.
        waiting: Bytes of a last line that was not handed out.
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
        return IngestError(f"{self.name}: a line is longer than {length} bytes: this is no log")

    def _count(self, block: bytes) -> bytes:
        self.digest.update(block)
        self.length += len(block)
        return block


def read_exactly(stream: Any, count: int, use: Callable[[bytes], object] = lambda _: None) -> None:
    """Read the first bytes of a stream, as many as there are, and use them."""
    while count > 0 and (chunk := stream.read(min(count, BLOCK))):
        use(chunk)
        count -= len(chunk)


def prefixes(stream: Any, lengths: list[int]) -> Iterator[tuple[int, str]]:
    """The hash of each prefix of a stream that is long enough to have it.

    Args:
        stream: The bytes.
        lengths: Ascending.

    Yields:
        The length, and the SHA-256 of so many first bytes.
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
