"""Sources of logs: one YAML file per source next to this module, read into `Source`.

A description defines how the lines of a log are parsed into fields, and the SQL expression over
these fields for each column of a pipeline's telemetry. A file of the same name in
`SPOT_OA_SOURCES_DIR` replaces the built-in one, so another format needs no code.
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
"""`list` is several texts; numbers are parsed as in `spot_oa.numbers`.

`instant` is a time: epoch seconds or milliseconds, or ISO 8601, in UTC if it has no zone. `local`
is the same, but a time without a zone is in the zone of the machine that wrote it.
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
"""The time columns of telemetry -> their expressions; descriptions can omit them."""


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
    """Where to find a field: the first existing place.

    A place is the name of a column, of a group of the pattern, or of a JSON key; `$.a.b` is a
    path into JSON. Without any of them, every line of a delimited log has the value `absent`.
    """

    places: Words = Field(alias="from", min_length=1)
    type: FieldType = "text"
    absent: str | None = None


class Log(_Model):
    """One kind of log line, and its mapping to telemetry.

    Attributes:
        pipeline: The pipeline of the telemetry.
        files: Pattern of the names of its files, for folders.
        pattern: Pattern of a line, with a named group per field (reader `pattern`).
        fields: Our name -> where to find the field.
        let: Names for expressions that several columns share, in order.
        when: The event's start, a timestamp in UTC; the expressions below refer to it as `when_`.
        where: Reason -> condition of lines that are skipped, and counted.
        required: Name -> expression that must have a value; a line without it is refused.
        columns: Column of the telemetry -> its expression. Other columns are NULL.
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
        name: Name on the command line.
        title: Name in prose.
        reader: The format of its lines.
        logs: Its logs by name.
        by: JSON keys that name the log of a line; the first existing key counts.
        timezone: The zone of text times without a zone; if missing, the user has to give it.
        delimiter: Delimiter of fields (csv).
        quote: Quote character of fields, doubled inside them (csv).
        unset: Texts for a missing value (csv).
        header: Beginning of the line with the names of the fields; if empty, that is the first line
            (csv).
        zone: Pattern of a comment with the zone of the times in its group; without one,
            the zone is UTC (csv).
        prefix: Pattern of a relay's prefix of each line, beginning with `^` (csv).
        comment: Beginnings of other comment lines (csv, pattern).
        footer: The first line of the summary at the end of a file (csv).
        footer_lines: Number of further lines of the summary.
        hint: Advice for a file that fails as a whole.
        drop_query: Whether to drop queries of URIs, which may contain secrets.
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
                raise ValueError(f"logs.{name}.pattern: reader pattern needs it, others reject it")
            for field, place in log.fields.items():
                if place.absent is not None and (
                    self.reader not in ("csv", "zeek") or place.type == "list"
                ):
                    raise ValueError(
                        f"logs.{name}.fields.{field}.absent: only single values of readers csv and "
                        "zeek can have it"
                    )
                missing = set(place.places) - groups
                if log.pattern is not None and missing:
                    raise ValueError(
                        f"logs.{name}.fields.{field}: the pattern has no group {min(missing)!r}"
                    )
        if self.reader == "ndjson" and len(self.logs) > 1 and not self.by:
            raise ValueError("by: with several logs, give a key that names the log of a line")
        return self

    @property
    def version(self) -> str:
        """Return a hash of the description and the macros."""
        content = self.model_dump_json().encode() + MACROS.read_bytes()
        return hashlib.sha256(content).hexdigest()[:12]


def check_zone(name: str) -> str:
    """Check that a time zone exists.

    Raises:
        UsageError: The time zone is unknown.
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
        extra: A folder of further `<name>.yml`; one of the same name replaces a built-in one.

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
        UsageError: There is no source of that name.
        ConfigError: A description is not usable.
    """
    sources = load_sources(extra)
    if name not in sources:
        known = ", ".join(sources)
        raise UsageError(f"source {printable(name)!r} is unknown: take one of {known}")
    return sources[name]
