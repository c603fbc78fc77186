"""Parse blocks of lines into typed fields, with one reader per log format.

Arrow splits plain blocks. In case of doubt our own rules split the block line by line: slower, with
the same rows.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from spot_oa.errors import IngestError, printable
from spot_oa.lines import split_lines
from spot_oa.numbers import READ_AS, parse_numbers
from spot_oa.pipelines import Type
from spot_oa.sources import LogField, Source
from spot_oa.warehouse.mapper import FIELD_TYPES, Mapper, Plan

PLAIN = True
"""Whether Arrow splits plain blocks; tests turn it off."""
ZONE = "#zone"
"""The place name of a time zone that a comment contains."""
_GLUED = re.compile(r"\d{4}-\d\d-\d\d |\d{1,3}(?:\.\d{1,3}){3}")
"""What a header with data behind it contains: a date-time or an IPv4 address."""
_LOCAL_TIME = r"^\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d(\.\d*)?$"


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


def open_reader(context: Context, head: bytes, state: Mapping[str, Any] | None) -> Reader:
    """Return the reader for a file.

    Args:
        context: The reader's inputs.
        head: The file's first bytes.
        state: The state of an earlier reader, to read the rest of a file.
    """
    kind = context.source.reader
    if kind == "zeek":
        kind = "ndjson" if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "zeek"
    if kind == "ndjson":
        return _Json(context)
    if kind == "pattern":
        return _Pattern(context)
    rules = _ZEEK if kind == "zeek" else _csv_rules(context.source)
    reader = Delimited(context, rules)
    if state:
        reader.resume(state)
    return reader


# -- Lines and fields ---------------------------------------------------------------------------


def _count(block: bytes) -> int:
    return block.count(b"\n") + (not block.endswith(b"\n"))


def _begun(block: bytes, first: int) -> tuple[Parsed, bytes]:
    """Count the lines of a block; drop a byte order mark at the start of the file."""
    block = block.removeprefix(codecs.BOM_UTF8) if first == 1 else block
    return Parsed(lines=_count(block)), block


def _empty(lines: pa.Array) -> np.ndarray:
    found: np.ndarray = pc.equal(lines, "").to_numpy(zero_copy_only=False)
    return found


def _blank(lines: pa.Array) -> np.ndarray:
    return _empty(pc.utf8_trim_whitespace(lines))


def _numbers(first: int, count: int) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.int64)


def _refuse(lines: pa.Array, line_no: np.ndarray, reason: str) -> Iterator[Refused]:
    for number, line in zip(line_no.tolist(), lines.to_pylist(), strict=True):
        yield Refused(number, reason, line)


def _typed(
    plan: Plan,
    texts: Mapping[str, pa.Array],
    line_no: np.ndarray,
    parsed: Parsed,
    *,
    log: str,
    context: Context,
) -> None:
    """Convert the fields to their types, and add them to `parsed`."""
    columns: dict[str, pa.Array] = {"line_no": pa.array(line_no)}
    bad, gap = {}, None
    for name, place in plan.log.fields.items():
        column = texts[name]
        if place.type in ("int", "bigint", "double"):
            columns[name], wrong = number(column, place)
            if pc.any(wrong).as_py():
                bad[name] = wrong
        elif place.type in ("instant", "local"):
            if place.type == "local":
                column, twice, never = _local(column, context)
                parsed.ambiguous += twice
                if name == plan.log.when and pc.any(never).as_py():
                    gap = never
            columns[name] = context.mapper.instants(column)
        else:
            columns[name] = column
    schema = pa.schema(
        [("line_no", pa.int64())]
        + [(name, FIELD_TYPES[place.type]) for name, place in plan.log.fields.items()]
    )
    parsed.parts.append(Part(log, pa.table(columns, schema), bad, gap))


def number(column: pa.Array, place: LogField) -> tuple[pa.Array, pa.Array]:
    """Parse numbers as `spot_oa.numbers` does; values with blanks around them are bad, too."""
    kind: Type = place.type  # type: ignore[assignment]
    if not any(pc.any(pc.match_substring(column, x)).as_py() for x in "xX"):
        with suppress(pa.ArrowInvalid):
            return parse_numbers(pc.cast(column, READ_AS[kind]), kind)
    numbers, wrong = parse_numbers(column, kind)
    spaced = pc.fill_null(pc.match_substring_regex(column, r"^\s|\s$"), False)  # noqa: FBT003
    return pc.if_else(spaced, None, numbers), pc.or_(wrong, spaced)


def _local(column: pa.Array, context: Context) -> tuple[pa.Array, int, pa.Array]:
    """Convert text times of the zone to UTC; leave other text as it is.

    Returns:
        The times, NULL if not a time of the zone; how many the zone has twice; and which are in an
        hour that the zone skips.
    """
    column = pc.utf8_trim_whitespace(column)
    found = pc.fill_null(pc.match_substring_regex(column, _LOCAL_TIME), False)  # noqa: FBT003
    if not pc.any(found).as_py():
        return column, 0, found
    if context.zone is None:
        first = column.filter(found)[0].as_py()
        raise IngestError(
            f"{context.name}: the time {first!r} has no zone; give the zone of the machine that "
            "wrote it, as in --timezone Europe/Berlin or --timezone UTC"
        )
    texts = pc.replace_substring(pc.if_else(found, column, None), "/", "-")
    # Cut fractions to microseconds, and remove a point without a fraction.
    texts = pc.replace_substring_regex(texts, r"(\.\d{6})\d+$|\.$", r"\1")
    times = _times(texts)
    local = [
        pc.assume_timezone(times, context.zone, ambiguous=which, nonexistent="earliest")
        for which in ("earliest", "latest")
    ]
    # A time that the zone skips is moved to the end of the gap.
    never = pc.fill_null(pc.not_equal(pc.local_timestamp(local[0]), times), False)  # noqa: FBT003
    first, last = (pc.cast(pc.cast(part, pa.timestamp("us", "UTC")), pa.string()) for part in local)
    twice = pc.sum(pc.not_equal(first, last)).as_py() or 0
    # An invalid time (30 February) becomes NULL, and must not be read as UTC instead.
    return pc.if_else(found, pc.if_else(never, None, first), column), twice, never


def _times(texts: pa.Array) -> pa.Array:
    try:
        return pc.cast(texts, pa.timestamp("us"))
    except pa.ArrowInvalid:
        return pa.array([_time(text) for text in texts.to_pylist()], pa.timestamp("us"))


def _time(text: str | None) -> Any:
    try:
        return pa.scalar(text, pa.string()).cast(pa.timestamp("us")).as_py()
    except pa.ArrowInvalid:
        return None


# -- Delimited ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rules:
    """The format of a delimited log."""

    directive: Callable[[Delimited, bytes, Parsed, int], None]
    marks: Sequence[bytes] = ()
    header_first: bool = False
    quote: str | None = None


class Delimited:
    """Lines of delimited fields below a header that names the fields."""

    def __init__(self, context: Context, rules: _Rules) -> None:
        self.context = context
        self.rules = rules
        self.names: list[str] | None = None
        self.delimiter = "\t" if context.source.reader == "zeek" else context.source.delimiter
        self.unset = list(context.source.unset)
        self.empty: str | None = None
        self.set_separator = ","
        self.log = context.log
        self.zone: str | None = None
        self.missing = ""
        self.footer = 0
        prefix = context.source.prefix
        self._prefix = re.compile(prefix.encode(), re.MULTILINE) if prefix else None

    @property
    def state(self) -> dict[str, Any]:
        """See `Reader.state`."""
        kept = ("names", "delimiter", "unset", "empty", "set_separator", "log", "zone")
        return {name: getattr(self, name) for name in (*kept, "missing", "footer")}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continue where another reader has stopped."""
        for name, value in state.items():
            setattr(self, name, value)

    def read(self, block: bytes, first: int) -> Parsed:
        """See `Reader.read`."""
        parsed, block = _begun(block, first)
        if self._prefix is not None and self._prefix.match(block):
            block = self._prefix.sub(b"", block)
        place, line_no = 0, first
        for special, start, end in self._pieces(block):
            piece = block[start:end]
            if special:
                self.rules.directive(self, piece.rstrip(b"\r\n"), parsed, line_no)
            else:
                self.data(piece, line_no, parsed)
            line_no += _count(piece)
            place = end
        assert place == len(block)  # noqa: S101 - every byte was read
        return parsed

    def _pieces(self, block: bytes) -> Iterator[tuple[bool, int, int]]:
        """Yield special lines one by one, and the data between them."""
        place, header, found = 0, -1, dict[bytes, int]()
        while place < len(block):
            if self.footer or (self.rules.header_first and self.names is None):
                yield True, place, self._end(block, place)
                place = self._end(block, place)
                continue
            special = len(block)
            if self.rules.header_first:
                if header < place:
                    header = self._next_header(block, place)
                special = header
            for mark in self.rules.marks:
                if found.get(mark, -1) < place:
                    at = 0 if place == 0 and block.startswith(mark) else -1
                    if at < 0:
                        at = block.find(b"\n" + mark, max(place - 1, 0)) + 1 or len(block)
                    found[mark] = at
                special = min(special, found[mark])
            if special > place:
                yield False, place, special
                place = special
            if place < len(block):
                yield True, place, self._end(block, place)
                place = self._end(block, place)

    def _next_header(self, block: bytes, place: int) -> int:
        """Return where the next line that is a header begins, or the block's end."""
        found = len(block)
        for name in next(self._needed(), ()):
            at = place
            while (hit := block.find(name.encode(), at, found)) >= 0:
                start, at = max(block.rfind(b"\n", 0, hit) + 1, place), self._end(block, hit)
                if self.heads(block[start:at].decode("utf-8", "backslashreplace").rstrip("\r\n")):
                    found = start
                    break
        return found

    def heads(self, line: str) -> bool:
        """Return whether a line names every field without which all lines would be refused."""
        names, needed = set(self.names_of(line)), list(self._needed())
        return bool(needed) and all(names & set(places) for places in needed)

    def names_of(self, header: str) -> list[str]:
        """Split a header."""
        return [name.strip() for name in header.split(self.context.source.delimiter)]

    @staticmethod
    def _end(block: bytes, place: int) -> int:
        return block.find(b"\n", place) + 1 or len(block)

    def name_fields(self, names: list[str]) -> None:
        """Store the header; if it lacks a field that the log needs, the lines are refused."""
        self.names = names
        if self.log is None and len(self.context.source.logs) == 1:
            self.log = next(iter(self.context.source.logs))
        self.missing = self._lacking(names)

    def _lacking(self, names: Sequence[str]) -> str:
        """Return why a header is not usable, or an empty text."""
        for places in self._needed():
            if not set(places) & {*names, ZONE}:
                return f"the header has no {' or '.join(places)}"
        if self.rules.header_first and any(map(_GLUED.search, names)):
            return (
                "the header and data are on one line, as early nfdump 1.7 prints them: write the "
                "log again with line breaks, with a newer version"
            )
        return ""

    def _needed(self) -> Iterator[Sequence[str]]:
        """Yield the places of each field without which every line would be refused."""
        plan = self.context.plans.get(self.log or "")
        if plan is not None:
            needed = " ".join([plan.log.when, *plan.log.required.values()])
            for name, place in plan.log.fields.items():
                if re.search(rf"\b{name}\b", needed):
                    yield place.places

    def data(self, block: bytes, first: int, parsed: Parsed) -> None:
        """Split data lines."""
        count = _count(block)
        plan = self.context.plans.get(self.log or "")
        if self.names is None or self.missing or plan is None:
            lines, _ = split_lines(block)
            blank = _empty(lines)
            parsed.blank += int(blank.sum())
            if self.names is not None and not self.missing:
                parsed.skipped[f"path {printable(self.log or 'unknown')[:60]}"] += count - int(
                    blank.sum()
                )
                return
            reason = self.missing or self._headless()
            keep = pa.array(~blank)
            numbers = _numbers(first, count)[~blank]
            parsed.refused.extend(_refuse(lines.filter(keep), numbers, reason))
            return
        columns = self._plain(block) if PLAIN else None
        numbers = _numbers(first, count)
        if columns is None:
            columns, numbers = self._slow(block, numbers, parsed)
        if len(numbers) == 0:
            return
        texts = {}
        for name, place in plan.log.fields.items():
            index = next((self.names.index(p) for p in place.places if p in self.names), None)
            if ZONE in place.places:
                texts[name] = pa.array([self.zone] * len(numbers), pa.string())
            elif index is None:
                kind = FIELD_TYPES[place.type] if place.type == "list" else pa.string()
                texts[name] = pa.repeat(pa.scalar(place.absent, kind), len(numbers))
            else:
                texts[name] = self._values(columns[index], place)
        _typed(plan, texts, numbers, parsed, log=str(self.log), context=self.context)

    def _headless(self) -> str:
        start = "#fields" if self.context.source.reader == "zeek" else self.context.source.header
        return f"no {start} line before it" if start else "no header before it"

    def _values(self, column: pa.Array, place: LogField) -> pa.Array:
        zeek = self.context.source.reader == "zeek"
        if place.type == "list":
            items = pc.split_pattern(column, self.set_separator)
            flat = unescaped(items.flatten()) if zeek else items.flatten()
            lists = pa.ListArray.from_arrays(items.offsets, flat, mask=column.is_null())
            if self.empty is not None:
                lists = pc.if_else(pc.equal(column, self.empty), pa.scalar([], lists.type), lists)
            return lists
        if zeek:
            if self.empty is not None and pc.any(pc.equal(column, self.empty)).as_py():
                column = pc.if_else(pc.equal(column, self.empty), "", column)
            column = unescaped(column)
        return column

    def _used(self) -> list[int]:
        assert self.names is not None  # noqa: S101
        log = self.context.plans[str(self.log)].log
        places = {place for field_ in log.fields.values() for place in field_.places}
        return [self.names.index(name) for name in dict.fromkeys(self.names) if name in places]

    def _plain(self, block: bytes) -> Mapping[int, pa.Array] | None:
        """Split a plain block with Arrow; None in case of doubt."""
        assert self.names is not None  # noqa: S101
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
            if b"\r" in block:
                return None
        if b"\n\n" in block or block.startswith((b"\n", codecs.BOM_UTF8)):
            return None
        quote = self.rules.quote
        if quote and quote.encode() in block and not self._well_quoted(block, quote):
            return None
        names = [str(place) for place in range(len(self.names))]
        used = [str(place) for place in self._used()]
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(block),
                pyarrow.csv.ReadOptions(column_names=names, block_size=1 << 20, use_threads=False),
                pyarrow.csv.ParseOptions(
                    delimiter=self.delimiter,
                    quote_char=quote or False,
                    double_quote=bool(quote),
                    escape_char=False,
                    ignore_empty_lines=False,
                ),
                pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(used, pa.string()),
                    include_columns=used,
                    null_values=self.unset,
                    strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid:
            return None  # A wrong number of fields, bytes that are not UTF-8, or a huge line.
        if table.num_rows != _count(block):
            return None
        return {int(name): table[name].combine_chunks() for name in used}

    def _well_quoted(self, block: bytes, quote: str) -> bool:
        """Return whether quotes enclose complete fields only."""
        q, d = re.escape(quote.encode()), re.escape(self.delimiter.encode())
        inner = rb"(?:[^" + q + rb"\n]|" + q + q + rb")*"
        whole = (
            rb"(?:(?<=[" + d + rb"\n])|(?<![\s\S]))" + q + inner + q + rb"(?=[" + d + rb"\n]|\Z)"
        )
        return quote.encode() not in re.sub(whole, b"", block)

    def _slow(
        self, block: bytes, numbers: np.ndarray, parsed: Parsed
    ) -> tuple[Mapping[int, pa.Array], np.ndarray]:
        """Split any block; refuse lines with a wrong number of fields."""
        assert self.names is not None  # noqa: S101
        lines, _ = split_lines(block)
        blank = _empty(lines)
        parsed.blank += int(blank.sum())
        if blank.any():
            lines, numbers = lines.filter(pa.array(~blank)), numbers[~blank]
        if self.rules.quote:
            fields = pa.array(
                [
                    split_quoted(line, self.delimiter, self.rules.quote)
                    for line in lines.to_pylist()
                ],
                pa.list_(pa.string()),
            )
        else:
            fields = pc.split_pattern(lines, self.delimiter)
        widths = pc.fill_null(pc.list_value_length(fields), -1).to_numpy()
        whole = widths == len(self.names)
        for at in np.flatnonzero(~whole).tolist():
            found = "a quote is not closed" if widths[at] < 0 else f"found {widths[at]}"
            reason = f"{len(self.names)} fields expected, {found}"
            parsed.refused.append(Refused(int(numbers[at]), reason, lines[at].as_py()))
        fields = fields.filter(pa.array(whole))
        flat, width = fields.flatten(), len(self.names)
        firsts = np.arange(0, len(flat), width)
        columns = {}
        for place in self._used():
            column = flat.take(pa.array(firsts + place))
            for unset in self.unset:
                column = pc.if_else(pc.equal(column, unset), None, column)
            columns[place] = column
        return columns, numbers[whole]


def split_quoted(line: str, delimiter: str, quote: str) -> list[str] | None:
    """Split a line with quoted fields; None if a quote is not closed."""
    q, d = re.escape(quote), re.escape(delimiter)
    fields, place = [], 0
    while True:
        match = re.compile(rf"{q}((?:[^{q}]|{q}{q})*){q}(?={d}|\Z)").match(line, place)
        if match:
            fields.append(match[1].replace(quote * 2, quote))
            place = match.end()
        elif line.startswith(quote, place):
            return None
        else:
            end = line.find(delimiter, place)
            end = len(line) if end < 0 else end
            fields.append(line[place:end])
            place = end
        if place >= len(line):
            return fields
        place += 1


_ESCAPE = re.compile(r"\\\\|(?:\\x[0-9a-fA-F]{2})+")


def unescaped(column: pa.Array) -> pa.Array:
    r"""Decode Zeek's escapes: `\xNN` is a byte of UTF-8, `\\` a backslash."""
    odd = pc.fill_null(pc.match_substring(column, "\\"), False)  # noqa: FBT003
    if not pc.any(odd).as_py():
        return column
    texts = [_ESCAPE.sub(_unescape, text) for text in column.filter(odd).to_pylist()]
    return pc.replace_with_mask(column, odd, pa.array(texts, pa.string()))


def _unescape(match: re.Match[str]) -> str:
    text = match[0]
    if text == "\\\\":
        return "\\"
    return bytes.fromhex(text.replace("\\x", "")).decode("utf-8", "backslashreplace")


def _zeek_directive(reader: Delimited, line: bytes, parsed: Parsed, _line_no: int) -> None:
    """Read a directive: `#fields` names the fields; `#separator`, `#path` etc. set the format."""
    parsed.comments += 1
    text = line.decode("utf-8", "backslashreplace")
    if text.startswith("#separator"):
        separator = re.sub(_ESCAPE, _unescape, text[len("#separator") :].strip(" "))
        reader.delimiter = separator[:1] or "\t"
        reader.unset, reader.empty, reader.set_separator = ["-"], "(empty)", ","
        return
    key, _, value = text.partition(reader.delimiter)
    if key == "#set_separator":
        reader.set_separator = value or ","
    elif key == "#empty_field":
        reader.empty = value
    elif key == "#unset_field":
        reader.unset = [value]
    elif key == "#path":
        reader.log = value
    elif key == "#fields":
        if reader.empty is None:
            reader.empty, reader.unset = "(empty)", reader.unset or ["-"]
        reader.name_fields(value.split(reader.delimiter))


def _csv_directive(reader: Delimited, line: bytes, parsed: Parsed, line_no: int) -> None:
    """Read a header, a comment, or a line of the summary at the end."""
    source = reader.context.source
    text = line.decode("utf-8", "backslashreplace")
    if reader.footer:
        reader.footer -= 1
    elif source.header:
        if text.startswith(source.header):
            names = text.removeprefix(source.header).strip(" ").split(source.delimiter)
            reader.name_fields([name for name in names if name or source.delimiter != " "])
        elif source.zone and (match := re.search(source.zone, text)):
            reader.zone = match[1]
    elif source.footer is not None and text == source.footer and reader.names is not None:
        reader.footer = source.footer_lines
    elif reader.names is None and text.startswith(source.comment):
        pass
    elif reader.names is None or reader.heads(text):
        if not text.strip():
            parsed.blank += 1
            return
        reader.name_fields(reader.names_of(text))
        if reader.missing:
            parsed.refused.append(Refused(line_no, reader.missing, text))
            return
    elif not (source.comment and text.startswith(source.comment)):
        # A data line that only begins like the summary.
        reader.data(line + b"\n", line_no, parsed)
        return
    parsed.comments += 1


_ZEEK = _Rules(_zeek_directive, marks=(b"#",))


def _csv_rules(source: Source) -> _Rules:
    marks = [mark.encode() for mark in source.comment]
    if source.footer is not None:
        marks.append(source.footer.encode())
    return _Rules(
        _csv_directive,
        marks=marks,
        header_first=not source.header,
        quote=source.quote,
    )


# -- JSON lines ---------------------------------------------------------------------------------


class _Json:
    """One JSON object per line."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._last = ""

    @property
    def state(self) -> dict[str, Any]:
        """See `Reader.state`."""
        return {}

    def read(self, block: bytes, first: int) -> Parsed:
        """See `Reader.read`."""
        parsed, block = _begun(block, first)
        lines, escaped = split_lines(block)
        numbers = _numbers(first, len(lines))
        if escaped.any():
            # The escapes of bytes that are not UTF-8 would be mistaken for JSON's.
            odd = pa.array(escaped)
            parsed.refused.extend(_refuse(lines.filter(odd), numbers[escaped], "not UTF-8"))
            lines, numbers = lines.filter(pa.array(~escaped)), numbers[~escaped]
        blank = _blank(lines)
        if blank.any():
            parsed.blank += int(blank.sum())
            lines, numbers = lines.filter(pa.array(~blank)), numbers[~blank]
        context = self._context
        by = context.source.by
        if self._last and len(lines):
            # Most likely all lines belong to the same log as the block before.
            plan = context.plans[self._last]
            fields = context.mapper.json_fields(lines, plan, block, by, self._last)
            if fields is not None:
                _typed(plan, fields, numbers, parsed, log=self._last, context=context)
                return parsed
        wrong, logs = context.mapper.json(lines, by)
        if wrong.null_count < len(wrong):
            odd = wrong.is_valid()
            for line_no, reason, line in zip(
                numbers[odd.to_numpy(zero_copy_only=False)].tolist(),
                wrong.filter(odd).to_pylist(),
                lines.filter(odd).to_pylist(),
                strict=True,
            ):
                parsed.refused.append(Refused(line_no, reason, line))
            right = wrong.is_null()
            lines, logs = lines.filter(right), logs.filter(right)
            numbers = numbers[right.to_numpy(zero_copy_only=False)]
        only = next(iter(context.plans)) if len(context.plans) == 1 else ""
        logs = pc.fill_null(logs, context.log or only)
        distinct = pc.unique(logs).to_pylist()
        uniform = by and len(distinct) == 1 and distinct[0] in context.plans
        self._last = distinct[0] if uniform else ""
        for log in distinct:
            mine = pc.equal(logs, log) if len(distinct) > 1 else None
            some = lines if mine is None else lines.filter(mine)
            which = numbers if mine is None else numbers[mine.to_numpy(zero_copy_only=False)]
            if log in context.plans:
                plan = context.plans[log]
                texts = context.mapper.json_fields(some, plan, block)
                assert texts is not None  # noqa: S101 - they are objects of this log
                _typed(plan, texts, which, parsed, log=log, context=context)
            elif log:
                parsed.skipped[f"{by[0].lstrip('_')} {printable(log)[:60]}"] += len(some)
            else:
                known = "|".join(context.plans)
                reason = f"no {' or '.join(by)} in it: say which log with --log {known}"
                parsed.refused.extend(_refuse(some, which, reason))
        return parsed


# -- Patterns -----------------------------------------------------------------------------------


class _Pattern:
    """Lines that match a pattern, whose groups are the fields."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._order = list(context.plans)
        if context.log is not None:
            self._order = [context.log]

    @property
    def state(self) -> dict[str, Any]:
        """See `Reader.state`."""
        return {}

    def read(self, block: bytes, first: int) -> Parsed:
        """See `Reader.read`."""
        parsed, block = _begun(block, first)
        lines, _ = split_lines(block)
        numbers = _numbers(first, len(lines))
        blank = _blank(lines)
        parsed.blank += int(blank.sum())
        lines, numbers = lines.filter(pa.array(~blank)), numbers[~blank]
        for mark in self._context.source.comment:
            comment = pc.starts_with(lines, mark).to_numpy(zero_copy_only=False)
            parsed.comments += int(comment.sum())
            lines, numbers = lines.filter(pa.array(~comment)), numbers[~comment]
        for name in tuple(self._order):
            if not len(lines):
                break
            plan = self._context.plans[name]
            found = pc.extract_regex(lines, str(plan.log.pattern))
            right = found.is_valid().to_numpy(zero_copy_only=False)
            if not right.any():
                continue
            # The next block most likely belongs to the same log.
            self._order.remove(name)
            self._order.insert(0, name)
            taken = found.filter(pa.array(right))
            texts = {}
            for field_, place in plan.log.fields.items():
                groups = [pc.struct_field(taken, [group]) for group in place.places]
                column = groups[0]
                for unset in self._context.source.unset:
                    column = pc.if_else(pc.equal(column, unset), None, column)
                texts[field_] = column
            _typed(plan, texts, numbers[right], parsed, log=name, context=self._context)
            lines, numbers = lines.filter(pa.array(~right)), numbers[~right]
        reason = f"not a line of a {self._context.source.title} log"
        parsed.refused.extend(_refuse(lines, numbers, reason))
        return parsed
