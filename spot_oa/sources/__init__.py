"""What a source of logs is: one YAML file per source beside this module, read into `Source`.

A description says how the lines of a log are read into fields, and which SQL expression over these
fields gives each column of a pipeline's telemetry. A file of the same name in
`SPOT_OA_SOURCES_DIR` replaces the one here, so another format needs no code.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from spot_oa.descriptions import read_description
from spot_oa.errors import ConfigError, UsageError, printable
from spot_oa.pipelines import Name

MACROS = Path(__file__).parent / "macros.sql"

FieldType = Literal["text", "int", "bigint", "double", "list", "instant", "local"]
"""`list` is several texts; numbers are read by the grammar of `spot_oa.numbers`.

`instant` is a time: epoch seconds or milliseconds, or ISO 8601, in UTC if it names no zone. `local`
is the same, but a time that names no zone is of the machine that wrote it.
"""

TIMES: Mapping[str, str] = {
    "treceived": "second_text(when_)",
    "unix_tstamp": "unix_second(when_)",
    "tryear": "year(when_)",
    "trmonth": "month(when_)",
    "trday": "day(when_)",
    "trhour": "hour(when_)",
    "trminute": "minute(when_)",
    "trsec": "second(when_)",
    "frame_time": "frame_text(when_)",
    "p_date": "date_text(when_)",
    "p_time": "clock_text(when_)",
}
"""The columns of telemetry that say when; a description need not name them."""


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _place(value: Any) -> Any:
    return {"from": value} if isinstance(value, str | list) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_several)]
Sql = Annotated[str, Field(min_length=1), BeforeValidator(str)]
Regex = Annotated[str, Field(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class LogField(_Model):
    """Where a field stands: the first of the places that is there.

    A place is the name of a column, of a group of the pattern, or of a JSON key; `$.a.b` is a
    path into JSON.
    """

    places: Words = Field(alias="from", min_length=1)
    type: FieldType = "text"


class Log(_Model):
    """One kind of line, and what becomes of it.

    Attributes:
        pipeline: Whose telemetry it becomes.
        files: Pattern of the names of its files, for folders.
        pattern: What a line looks like, with a named group per field (reader `pattern`).
        fields: Our name -> where it stands.
        let: Names for expressions that several columns share, in order.
        when: The event's start, a timestamp in UTC: `when_` in what follows.
        where: Reason -> condition of lines that are left out, and counted.
        required: What must be there -> its expression; a line without it is refused.
        columns: Column of the telemetry -> its expression. Columns not named are NULL.
    """

    pipeline: Name
    files: Regex | None = None
    pattern: Regex | None = None
    fields: dict[Name, Annotated[LogField, BeforeValidator(_place)]]
    let: dict[Name, Sql] = {}
    when: Sql
    where: dict[str, Sql] = {}
    required: dict[str, Sql] = {}
    columns: dict[Name, Sql]


class Source(_Model):
    """A program that writes logs.

    Attributes:
        name: What it is called on the command line.
        title: What it is called in prose.
        reader: How its lines are read.
        logs: Its logs by name.
        by: JSON keys that say which log a line belongs to, the first that is there.
        timezone: The zone of text times that name none; without it the user has to say.
        delimiter: What stands between fields (csv).
        quote: What stands around fields, doubled inside them (csv).
        unset: Texts that mean that there is no value (csv).
        header: What the line with the names of the fields begins with; if empty it is the first
            line (csv).
        zone: Pattern of a comment that names the zone of the times, in its group (csv).
        prefix: Pattern of what a relay may have put before each line, beginning with `^` (csv).
        comment: What other comment lines begin with (csv, pattern).
        footer: The line that begins the summary at the end of a file (csv).
        footer_lines: How many lines the summary has after that.
        hint: What to do about a file that has no usable header.
        drop_query: Whether queries of URIs, which may hold secrets, are left out.
    """

    name: Name
    title: str
    reader: Literal["zeek", "csv", "ndjson", "pattern"]
    logs: dict[Name, Log] = Field(min_length=1)
    by: Words = ()
    timezone: str | None = None
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str | None = Field(default=None, min_length=1, max_length=1)
    unset: Words = ()
    header: str = ""
    zone: Regex | None = None
    prefix: Regex | None = None
    comment: Words = ()
    footer: str | None = None
    footer_lines: int = Field(default=0, ge=0)
    hint: str = ""
    drop_query: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.timezone is not None:
            check_zone(self.timezone)
        for name, log in self.logs.items():
            groups: set[str] = set()
            for what, pattern in (("files", log.files), ("pattern", log.pattern)):
                try:
                    compiled = re.compile(pattern or "")
                except re.error as error:
                    raise ValueError(f"logs.{name}.{what}: {error}") from error
                groups = set(compiled.groupindex)
            if (self.reader == "pattern") != (log.pattern is not None):
                raise ValueError(f"logs.{name}.pattern: it goes with reader pattern, and only that")
            for field, place in log.fields.items():
                missing = set(place.places) - groups
                if log.pattern is not None and missing:
                    raise ValueError(
                        f"logs.{name}.fields.{field}: the pattern has no group {min(missing)!r}"
                    )
        if self.reader == "ndjson" and len(self.logs) > 1 and not self.by:
            raise ValueError("by: several logs need a key that says which a line belongs to")
        return self

    @property
    def version(self) -> str:
        """A mark of the description, which changes with it."""
        told = self.model_dump_json().encode() + MACROS.read_bytes()
        return hashlib.sha256(told).hexdigest()[:12]


def check_zone(name: str) -> str:
    """Make sure that a time zone is known.

    Raises:
        UsageError: It is not.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            f"time zone {printable(name)!r} is unknown: give a name like Europe/Berlin, or UTC"
        ) from error
    return name


def load_sources(extra: Path | None = None) -> dict[str, tuple[Source, Path]]:
    """Read every description of a source.

    Args:
        extra: A folder of further `<name>.yml`; one of the same name replaces a built-in.

    Returns:
        Sources and their files by name, built-in ones first.

    Raises:
        ConfigError: A description cannot be read or is not consistent.
    """
    files = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.yml"))}
    if extra is not None:
        if not extra.is_dir():
            raise ConfigError(f"SPOT_OA_SOURCES_DIR={extra}: no such folder")
        files |= {path.stem: path for path in sorted(extra.glob("*.yml"))}
    return {name: (read_description(path, "source", Source), path) for name, path in files.items()}


def get_source(name: str, extra: Path | None = None) -> tuple[Source, Path]:
    """Find a source by name, and the file that describes it.

    Raises:
        UsageError: There is none of that name.
        ConfigError: A description is not usable.
    """
    sources = load_sources(extra)
    if name not in sources:
        known = ", ".join(sources)
        raise UsageError(f"source {printable(name)!r} is unknown: take one of {known}")
    return sources[name]
