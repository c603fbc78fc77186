"""Read a results file: the first good lines as typed columns, bad lines with a reason.

The file is what spot-ml writes: tab separated, without header, quoting or escaping, SQL NULL as the
text `null`, numbers as Java prints them. It is read in blocks; each block is split and typed column
by column, and reading stops at the line that reaches the limit. Several files are read as one, with
continuous line numbers.
"""

from __future__ import annotations

import codecs
import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from spot_oa.errors import LandingError
from spot_oa.lines import split_lines, whole_lines
from spot_oa.numbers import READ_AS, parse_numbers
from spot_oa.pipelines import Results, Type

NULL_TEXT = "null"
FIRST_BLOCK = 1 << 18
BLOCK = 1 << 23
FIRST_BYTES = 4096
MAGIC = {
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "Parquet",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"SEQ": "a Hadoop sequence file",
    b"\xfd7zXZ": "xz",
    b"\x04\x22\x4d\x18": "LZ4",
    b"\xff\x06\x00\x00sNaPpY": "Snappy",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    b"{": "JSON",
    b"[": "JSON",
    b"<": "HTML or XML",
}
"""First bytes of files that are not results -> kind of file."""
SEPARATORS = {b",": "commas", b";": "semicolons", b"|": "bars", b" ": "blanks", b"\x01": "^A"}
LIKELY_WIDTH = 5
"""With this many fields by another separator, the file most likely uses that separator."""
_NO_LINES = pa.array([], pa.string())


class SupportsRead(Protocol):
    """Anything with a method `read`."""

    def read(self, size: int, /) -> bytes:
        """Return at most the next `size` bytes; empty at the end."""
        ...


@dataclass(slots=True)
class ResultsReader:
    """Splits results into typed batches; iterate once, then read the counts.

    Iterating yields (rows, rejects): rows have the pipeline's fields, then `rank` and `line_no`;
    rejects have `line_no`, `reason` and `line`.

    Attributes:
        streams: The files, in order.
        results: The description of the files.
        limit: Maximum number of good lines to return.
        rows: Number of returned lines.
        rejected: Number of rejected lines.
        first_rejected: Line number and reason of the first rejected line.
        first_bytes: First bytes of the first file.
        invalid_utf8: Number of lines with bytes that are not UTF-8.
        bad_values: Number of values that became NULL, by column.
        falls_at: The first line with a lower score than the good line before it; 0 if scores
            ascend.
    """

    streams: Iterable[SupportsRead]
    results: Results
    limit: int
    rows: int = 0
    rejected: int = 0
    first_rejected: tuple[int, str] | None = None
    first_bytes: bytes = b""
    invalid_utf8: int = 0
    bad_values: Counter[str] = field(default_factory=Counter)
    falls_at: int = 0
    _line_no: int = 0
    _last_score: float = -math.inf
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """Return the hash of all files, or of the bytes up to the line that reached the limit."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[tuple[pa.Table, pa.Table]]:
        if self.limit > 0:
            for stream in self.streams:
                yield from self._file(stream)
                if self.rows >= self.limit:
                    break

    def _file(self, stream: SupportsRead) -> Iterator[tuple[pa.Table, pa.Table]]:
        blocks = whole_lines(_chunks(stream), partial(_too_long, stream))
        begun = False
        while self.rows < self.limit and (block := next(blocks, None)) is not None:
            self.first_bytes = self.first_bytes or block[:FIRST_BYTES]
            if not begun and block.startswith(codecs.BOM_UTF8):
                self._digest.update(codecs.BOM_UTF8)
                block = block.removeprefix(codecs.BOM_UTF8)
            begun = True
            if block:
                yield self._read(block)

    def _read(self, block: bytes) -> tuple[pa.Table, pa.Table]:
        split = (
            _plain_block(block, self.results, typed=True)
            or _plain_block(block, self.results, typed=False)
            or _Split.of(block, self.results.width)
        )
        whole, escaped = split.whole, split.escaped
        columns, bad = self._type(split.fields)
        reasons = self._reasons(split, columns)

        good = np.flatnonzero(reasons.is_null().to_numpy(zero_copy_only=False))
        taken = good[: self.limit - self.rows]
        if full := len(taken) == self.limit - self.rows:
            last = int(taken[-1]) + 1
            reasons, escaped = reasons.slice(0, last), escaped[:last]
        self._digest.update(block[: _end_of_line(block, last)] if full else block)

        # Convert positions among all lines to positions among lines with the right width.
        typed = (np.cumsum(whole.to_numpy(zero_copy_only=False)) - 1)[taken]
        for name, mask in bad.items():
            self.bad_values[name] += int(pc.sum(mask.take(pa.array(typed))).as_py() or 0)
        self.invalid_utf8 += int(escaped.sum())
        rows = pa.table(columns)
        rows = rows if len(typed) == rows.num_rows else rows.take(pa.array(typed))
        rows = rows.append_column("rank", pa.array(np.arange(len(taken)) + self.rows, pa.int32()))
        rows = rows.append_column("line_no", pa.array(taken + self._line_no + 1, pa.int64()))
        self._look_at_scores(rows)
        rejected = np.flatnonzero(reasons.is_valid().to_numpy(zero_copy_only=False))
        if len(rejected) and not self.first_rejected:
            first = int(rejected[0])
            self.first_rejected = first + self._line_no + 1, reasons[first].as_py()
        rejects = pa.table(
            {
                "line_no": pa.array(rejected + self._line_no + 1, pa.int64()),
                "reason": reasons.take(pa.array(rejected)),
                "line": (split.lines() if len(rejected) else _NO_LINES).take(pa.array(rejected)),
            }
        )
        self.rows += len(taken)
        self.rejected += len(rejected)
        self._line_no += len(whole)
        return rows, rejects

    def _look_at_scores(self, rows: pa.Table) -> None:
        if self.falls_at or not rows.num_rows:
            return
        scores = rows[self.results.score].to_numpy()
        fallen = np.flatnonzero(scores < np.concatenate([[self._last_score], scores[:-1]]))
        if len(fallen):
            self.falls_at = rows["line_no"][int(fallen[0])].as_py()
        self._last_score = scores[-1]

    def _type(self, fields: Sequence[pa.Array]) -> tuple[dict[str, pa.Array], dict[str, pa.Array]]:
        """Return columns by name, and for each number column which of its values became NULL."""
        columns, bad = {}, {}
        for name, spec in self.results.fields.items():
            nothing = pa.nulls(len(fields[0]), pa.string())
            field = nothing if spec.index is None else fields[spec.index]
            if spec.type == "string":
                columns[name] = field
            else:
                columns[name], bad[name] = parse_numbers(field, spec.type)
        return columns, bad

    def _reasons(self, split: _Split, columns: dict[str, pa.Array]) -> pa.Array:
        """Return why each line is rejected; NULL if it is good."""
        reasons = pa.nulls(len(columns[self.results.score]), pa.string())
        for name, spec in reversed(self.results.fields.items()):
            if spec.required:
                unusable = columns[name].is_null()
                if spec.type == "string":
                    unusable = pc.or_kleene(unusable, pc.equal(columns[name], ""))
                kind = "is missing" if spec.type == "string" else "is not a number"
                reasons = pc.if_else(unusable, f"{name} {kind}", reasons)
        if split.widths is None:
            return reasons
        found = pc.cast(split.widths, pa.string())
        wrong = pc.binary_join_element_wise(
            f"{self.results.width} fields expected, found", found, " "
        )
        return pc.replace_with_mask(wrong, split.whole, reasons)


@dataclass(frozen=True, slots=True)
class _Split:
    """A split block.

    Attributes:
        fields: The fields of lines with the right width, one array per position, `null` as NULL:
            texts, or parsed numbers.
        whole: Which lines have the right number of fields.
        widths: Number of fields of each line; None if all are right.
        escaped: Which lines had bytes that are not UTF-8.
        lines: Returns the lines as text.
    """

    fields: Sequence[pa.Array]
    whole: pa.Array
    widths: pa.Array | None
    escaped: np.ndarray
    lines: Callable[[], pa.Array]

    @classmethod
    def of(cls, block: bytes, width: int) -> _Split:
        """Split any block."""
        lines, escaped = split_lines(block)
        fields = pc.split_pattern(lines, "\t")
        widths = pc.list_value_length(fields)
        whole = pc.equal(widths, width)
        all_whole = pc.all(whole).as_py()
        flat = (fields if all_whole else fields.filter(whole)).flatten()
        firsts = np.arange(0, len(flat), width)
        texts = [flat.take(pa.array(firsts + place)) for place in range(width)]
        texts = [pc.if_else(pc.equal(text, NULL_TEXT), None, text) for text in texts]
        return cls(texts, whole, None if all_whole else widths, escaped, lambda: lines)


def looks_like(beginning: bytes, width: int) -> str:
    """Guess the format of a file without good lines; empty if unknown.

    Args:
        beginning: The file's first bytes.
        width: Expected number of fields per line.
    """
    for magic, kind in MAGIC.items():
        if beginning.startswith(magic):
            return kind
    if b"\0" in beginning:
        return "UTF-16 or a binary file"
    line = beginning.partition(b"\n")[0]
    if b"\t" not in line:
        for separator, kind in SEPARATORS.items():
            if line.count(separator) >= max(1, min(width, LIKELY_WIDTH) - 1):
                return f"fields separated by {kind}"
    quoted = [text for text in line.split(b"\t") if text[:1] == text[-1:] == b'"' and text[1:]]
    return "fields in quotes" if quoted else ""


def _plain_block(block: bytes, results: Results, *, typed: bool) -> _Split | None:
    """Split a plain block, as nearly all are, many times faster.

    Args:
        block: Complete lines.
        results: The description of the lines.
        typed: Parse numbers too; then a block with an unusual number is not plain.

    Returns:
        None if the CSV reader rejects the block, or would split it into other lines or fields.
    """
    if b"\r" in block or block.startswith(codecs.BOM_UTF8):
        return None  # The CSV reader would drop a byte order mark that is text here.
    names = [str(place) for place in range(results.width)]
    types = dict.fromkeys(names, pa.string())
    if typed:
        # Arrow would read 0x1f as a number. (Searching for one byte first is ten times faster.)
        if any(x in block and b"0" + x in block for x in (b"x", b"X")):
            return None
        kinds: dict[str, set[Type]] = {}
        for spec in results.fields.values():
            kinds.setdefault(str(spec.index), set()).add(spec.type)
        for place in names:
            kind, *others = kinds.get(place, {"string"})
            if kind != "string" and not others:
                types[place] = READ_AS[kind]
    elif b"\n\n" in block or block.startswith(b"\n"):
        return None  # It would read empty lines as empty fields, which are not numbers.
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(block),
            pyarrow.csv.ReadOptions(column_names=names, block_size=1 << 20),
            pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False),
            pyarrow.csv.ConvertOptions(
                column_types=types, null_values=[NULL_TEXT], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid:
        # A wrong number of fields, bytes that are not UTF-8, or not a plain number.
        return None
    count = table.num_rows
    fields = [column.combine_chunks() for column in table.columns]
    whole = pa.array(np.ones(count, bool))
    return _Split(fields, whole, None, np.zeros(count, bool), lambda: split_lines(block)[0])


def _chunks(stream: SupportsRead) -> Iterator[bytes]:
    """Read small chunks first, so that little more is read than the limit needs."""
    size = FIRST_BLOCK
    while chunk := stream.read(size):
        yield chunk
        size = min(2 * size, BLOCK)


def _too_long(stream: SupportsRead, length: int) -> LandingError:
    where = getattr(stream, "where", "ML results")
    return LandingError(
        f"{where}: a line is longer than {length} bytes: this is not a results file; write it again"
    )


def _end_of_line(block: bytes, count: int) -> int:
    """Return the length in bytes of the first `count` lines, including line ends."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    return int(ends[count - 1]) + 1 if count <= len(ends) else len(block)
