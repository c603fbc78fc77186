"""Any list, fetched or local: plain text, CSV or JSON lines, with a mapping of its columns.

`SPOT_OA_SERVICES__FEEDS__<NAME>__<OPTION>` describes the list `<name>`, which becomes a service of
that name.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, RootModel, SecretStr, model_validator

from python_enrichers.addresses import pack
from python_enrichers.base import SourceError, Status
from python_enrichers.budget import Limits
from python_enrichers.context_files import ContextFile
from python_enrichers.http import Marks
from python_enrichers.reputation.base import (
    EVERY_KIND,
    MEDIUM,
    Entry,
    ListSource,
    ServiceOptions,
    Tools,
    read_severity,
)
from python_enrichers.reputation.lists.match import entry
from python_enrichers.reputation.lists.read import read_records
from spot_oa.pipelines import IndicatorType, Name

FETCHED_DAYS = 30.0
_SHOWN = 200


class ListOptions(ServiceOptions):
    """One list.

    Columns are numbers from 0, or names: of columns in the header that CSV then must have, or of
    fields of JSON lines. Plain text is split at blanks.
    """

    url: SecretStr | None = None
    path: Path | None = None
    format: Literal["text", "csv", "jsonl"] = "text"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    comment: str = "#;"
    """Lines that begin with one of these characters are comments; in plain text also the rest of a
    line after one."""
    indicator: str = "0"
    label_column: str = ""
    severity_column: str = ""
    category_column: str = ""
    label: str = "Listed"
    severity: int = Field(default=MEDIUM, ge=-1, le=3)
    hours: float = Field(default=24, ge=1)
    """Minimum hours between fetches."""
    max_age_days: float | None = Field(default=None, gt=0)
    """Maximum age of a usable copy; by default 30 days if fetched, no limit for a local file."""
    header: str = "Authorization"
    key: SecretStr | None = None
    """The value of `header`."""
    attribution: str = ""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.url) == bool(self.path):
            raise ValueError("set either URL or PATH")
        return self


class Options(RootModel[dict[Name, ListOptions]]):
    """Lists by name."""

    model_config = ConfigDict(frozen=True)


def load(options: Options, tools: Tools) -> Sequence[ListSource]:
    """Return all lists."""
    return [AnyList(name, given, tools) for name, given in options.root.items()]


class AnyList:
    """One list."""

    kinds: AbstractSet[IndicatorType] = EVERY_KIND

    def __init__(self, name: str, options: ListOptions, tools: Tools) -> None:
        self.name = name
        # Copy a local file each time: the age of the file itself counts.
        self.interval = dt.timedelta(hours=options.hours if options.url else 0)
        days = options.max_age_days or (FETCHED_DAYS if options.url else None)
        self.max_age = dt.timedelta(days=days) if days else None
        self.attribution = options.attribution
        headers = {options.header: options.key} if options.key else None
        self.meter = tools.meter(Limits(daily=100, per_minute=10), f"feeds.{name}")
        self._client = tools.client(self.meter, headers=headers)
        self._options = options

    def fetch(self, path: Path, marks: Marks) -> bool:
        """See `ListSource`."""
        if self._options.url:
            return self._client.download_all([self._options.url.get_secret_value()], path, marks)
        try:
            shutil.copy2(self._options.path or "", path)
        except OSError as error:
            reason = f"{self._options.path} cannot be read ({error.strerror})"
            raise SourceError(Status.UNAVAILABLE, reason) from None
        return True

    def read(self, path: Path) -> ContextFile[Entry] | None:
        """See `ListSource`."""
        return read_records(
            self.name,
            path,
            _Lines(self._options).entry,
            is_csv=self._options.format == "csv",
            shown_as=str(self._options.path or "it"),
        )


class _Lines:
    """Reads the lines of a list in order; a header names the columns."""

    def __init__(self, options: ListOptions) -> None:
        self._options = options
        self._comments = tuple(options.comment)
        self._columns = (
            options.indicator,
            options.label_column,
            options.severity_column,
            options.category_column,
        )
        ways: Mapping[str, Callable[[str], Any]] = {"text": self._words, "csv": self._cells}
        self._split = ways.get(options.format, json.loads)
        self._header_is_due = options.format == "csv" and any(map(_is_name, self._columns))
        self._at: Sequence[Any] | None = self._columns
        if options.format != "jsonl":
            self._at = None if self._header_is_due else self._places(())

    def entry(self, line: str) -> Entry | None:
        """Make an entry of a line, None of a comment or the header.

        Raises:
            SourceError: Columns are named and the header has not all of them.
        """
        if line.lstrip().startswith(self._comments):
            if self._header_is_due:
                bare = line.lstrip("".join(self._comments) + " \t")
                self._at = self._places(self._split(bare)) or self._at
            return None
        fields = self._split(line)
        if self._header_is_due:
            self._header_is_due = False
            if places := self._places(fields):
                self._at = places
                return None
        if self._at is None:
            raise SourceError(Status.MALFORMED, self._what_is_missing(fields))
        indicator, label, severity, category = self._at
        text = str(fields[indicator]).strip()
        if "." not in text and ":" not in text:
            # A word of a page or message that the server sent instead of the list.
            raise ValueError("it is not an address, network, range, URI or name with a dot")
        level = _of(fields, severity)
        return entry(
            text,
            _of(fields, label) or self._options.label,
            read_severity(level) if level else self._options.severity,
            None,
            _of(fields, category) or None,
        )

    def _places(self, header: Sequence[str]) -> Sequence[int | None] | None:
        """Return the positions of the columns; None if the header lacks a named one."""
        names = [_bare(name) for name in header]
        wanted = [_bare(column) for column in self._columns]
        if any(_is_name(name) and name not in names for name in wanted):
            return None
        return [
            names.index(name) if _is_name(name) else int(name) if name else None for name in wanted
        ]

    def _what_is_missing(self, header: Sequence[str]) -> str:
        names = [_bare(name) for name in header]
        columns = filter(_is_name, self._columns)
        missing = [repr(column) for column in columns if _bare(column) not in names]
        return (
            f"the header of {self._options.path or 'it'} has no column "
            f"{' and no '.join(missing)}: found is "
            f"{', '.join(header)[:_SHOWN]!r}; name a column of it, or give its number from 0"
        )

    def _words(self, line: str) -> list[str]:
        words = line.split()
        # A `#` inside a word may be part of a URI.
        if any(comment in line for comment in self._comments):
            words = list(takewhile(lambda word: not word.startswith(self._comments), words))
        if words[1:2] == ["-"] and words[2:] and pack(words[0]) and pack(words[2]):
            words[:3] = ["-".join((words[0], words[2]))]
        return words

    def _cells(self, line: str) -> list[str]:
        delimiter = self._options.delimiter
        try:
            cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
        except csv.Error:
            raise ValueError("a field is too long") from None
        return list(map(str.strip, cells))


def _is_name(column: str) -> bool:
    return column != "" and not column.isdecimal()


def _bare(name: str) -> str:
    return "".join(name.split()).lower()


def _of(fields: Any, column: Any) -> str:
    try:
        value = None if column in ("", None) else fields[column]
    except LookupError:
        value = None
    return "" if value is None else str(value)
