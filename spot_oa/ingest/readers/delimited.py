"""Lines of delimited fields below a header: Zeek's own format, and CSV.

Arrow splits plain blocks. In case of doubt our own rules split the block line by line: slower, with
the same rows.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from spot_oa.errors import printable
from spot_oa.ingest.readers.block import (
    Context,
    Parsed,
    Refused,
    begun,
    is_empty,
    line_count,
    numbered,
    refuse,
)
from spot_oa.ingest.readers.fields import add_part
from spot_oa.lines import split_lines
from spot_oa.sources import LogField, Source
from spot_oa.warehouse.mapper import FIELD_TYPES

PLAIN = True
"""Whether Arrow splits plain blocks; tests turn it off."""
ZONE = "#zone"
"""The place name of a time zone that a comment contains."""
_GLUED = re.compile(r"\d{4}-\d\d-\d\d |\d{1,3}(?:\.\d{1,3}){3}")
"""What a header with data behind it contains: a date-time or an IPv4 address."""
_ESCAPE = re.compile(r"\\\\|(?:\\x[0-9a-fA-F]{2})+")


@dataclass(frozen=True, slots=True)
class Rules:
    """The format of a delimited log."""

    directive: Callable[[Delimited, bytes, Parsed, int], None]
    marks: Sequence[bytes] = ()
    header_first: bool = False
    quote: str | None = None


class Delimited:
    """Lines of delimited fields below a header that names the fields."""

    def __init__(self, context: Context, rules: Rules) -> None:
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
        parsed, block = begun(block, first)
        if self._prefix is not None and self._prefix.match(block):
            block = self._prefix.sub(b"", block)
        place, line_no = 0, first
        for special, start, end in self._pieces(block):
            piece = block[start:end]
            if special:
                self.rules.directive(self, piece.rstrip(b"\r\n"), parsed, line_no)
            else:
                self.data(piece, line_no, parsed)
            line_no += line_count(piece)
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
        count = line_count(block)
        plan = self.context.plans.get(self.log or "")
        if self.names is None or self.missing or plan is None:
            lines, _ = split_lines(block)
            blank = is_empty(lines)
            parsed.blank += int(blank.sum())
            if self.names is not None and not self.missing:
                parsed.skipped[f"path {printable(self.log or 'unknown')[:60]}"] += count - int(
                    blank.sum()
                )
                return
            reason = self.missing or self._headless()
            keep = pa.array(~blank)
            numbers = numbered(first, count)[~blank]
            parsed.refused.extend(refuse(lines.filter(keep), numbers, reason))
            return
        columns = self._plain(block) if PLAIN else None
        numbers = numbered(first, count)
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
        add_part(plan, texts, numbers, parsed, log=str(self.log), context=self.context)

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
        if table.num_rows != line_count(block):
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
        blank = is_empty(lines)
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


ZEEK = Rules(_zeek_directive, marks=(b"#",))


def csv_rules(source: Source) -> Rules:
    """Return the format of a described CSV log."""
    marks = [mark.encode() for mark in source.comment]
    if source.footer is not None:
        marks.append(source.footer.encode())
    return Rules(
        _csv_directive,
        marks=marks,
        header_first=not source.header,
        quote=source.quote,
    )
