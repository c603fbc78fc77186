"""What every reader takes and returns: blocks of lines, with each line counted once."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spot_oa.sources import Source
from spot_oa.warehouse.mapper import Mapper, Plan


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused line, with the reason."""

    line_no: int
    reason: str
    line: str


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of one log.

    Attributes:
        log: The log.
        fields: `line_no`, and the log's fields.
        bad: Number field -> which of its values are bad.
        gap: Which lines have a time in an hour that the zone skips; None if no line has.
    """

    log: str
    fields: pa.Table
    bad: Mapping[str, pa.Array]
    gap: pa.Array | None = None


@dataclass(slots=True)
class Parsed:
    """The parsed lines of a block; every line is counted exactly once."""

    lines: int = 0
    parts: list[Part] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    blank: int = 0
    comments: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    ambiguous: int = 0
    """Number of times in an hour that the zone repeats; they are read as the first of the two."""


class Reader(Protocol):
    """Reads one log from its start, or from where an earlier reader of the log has stopped."""

    @property
    def state(self) -> dict[str, Any]:
        """Return the state, in JSON types, that a reader needs to continue from here."""
        ...

    def read(self, block: bytes, first: int) -> Parsed:
        """Read complete lines.

        Args:
            block: The lines; only the file's last line may lack its line end.
            first: Number of the block's first line, 1-based.
        """
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """The inputs of every reader.

    Attributes:
        source: The description.
        plans: The plan of each log of the description.
        mapper: Reads JSON.
        log: The log of the file, by its name or the user's option; None if not known.
        zone: The zone of text times without a zone; None if not known.
        name: The file's name, for messages.
    """

    source: Source
    plans: Mapping[str, Plan]
    mapper: Mapper
    log: str | None
    zone: str | None
    name: str


def line_count(block: bytes) -> int:
    """Count lines; the last one may lack its line end."""
    return block.count(b"\n") + (not block.endswith(b"\n"))


def begun(block: bytes, first: int) -> tuple[Parsed, bytes]:
    """Count the lines of a block; drop a byte order mark at the start of the file."""
    block = block.removeprefix(codecs.BOM_UTF8) if first == 1 else block
    return Parsed(lines=line_count(block)), block


def is_empty(lines: pa.Array) -> np.ndarray:
    """Return which lines have no character."""
    found: np.ndarray = pc.equal(lines, "").to_numpy(zero_copy_only=False)
    return found


def is_blank(lines: pa.Array) -> np.ndarray:
    """Return which lines have white space at most."""
    return is_empty(pc.utf8_trim_whitespace(lines))


def numbered(first: int, count: int) -> np.ndarray:
    """Number lines from `first`."""
    return np.arange(first, first + count, dtype=np.int64)


def refuse(lines: pa.Array, line_no: np.ndarray, reason: str) -> Iterator[Refused]:
    """Refuse lines for one reason."""
    for number, line in zip(line_no.tolist(), lines.to_pylist(), strict=True):
        yield Refused(number, reason, line)
