"""Telemetry as files in folders, `<uri>/<pipeline>/y=/m=/d=/h=/`: list the files of a day.

The project makes an external table over these folders. Its partition keys are text, as the folders
spell them: `m=7` and `m=07` are two partitions, and both are read.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from spot_oa.errors import ConfigError, WarehouseError, printable, without_userinfo
from spot_oa.pipelines import Pipeline
from spot_oa.results_files import STAMPS
from spot_oa.warehouse.hiveserver2.staging import engine_path, literal

KEYS = ("y", "m", "d", "h")


class Partition(NamedTuple):
    """The folder of an hour."""

    keys: tuple[str, ...]
    """The values of y, m, d and h as the folders spell them."""
    path: str


@dataclass(frozen=True, slots=True)
class Day:
    """The partitions and files of a day, without hidden files."""

    partitions: Sequence[Partition] = ()
    files: Sequence[Mapping[str, Any]] = ()
    """Files in an hour's folder, as the file system describes them."""
    left_out: Sequence[str] = ()
    """Files outside the hour folders, and folders inside them."""


@dataclass(slots=True)
class Folders:
    """The telemetry of a pipeline.

    Args:
        uri: Where the pipelines' folders are, an fsspec URL.
        pipeline: The pipeline.
    """

    uri: str
    pipeline: Pipeline
    _system: Any = field(init=False)
    _root: str = field(init=False)

    def __post_init__(self) -> None:
        self.uri = f"{self.uri.rstrip('/')}/{self.pipeline.name}"
        with self._readable():
            self._system, self._root = fsspec.core.url_to_fs(self.uri)

    @property
    def location(self) -> str:
        """Return the folder as the engine names it."""
        return self._location(self._root)

    def _location(self, path: str) -> str:
        below = path.removeprefix(self._root)
        parts = urlsplit(self.uri)
        place = (
            engine_path(self.uri) if parts.scheme not in ("", "file") else f"file://{self._root}"
        )
        return f"{place.rstrip('/')}{below}"

    def check(self) -> None:
        """Check that the folder exists.

        Raises:
            ConfigError: The folder does not exist.
        """
        with self._readable():
            there = self._system.isdir(self._root)
        if not there:
            raise ConfigError(
                f"telemetry folder {self._shown} does not exist; put the Parquet there, correct "
                "SPOT_OA_RAW_URI, or name an existing table by SPOT_OA_TELEMETRY_SCHEMA"
            )

    def day(self, date: dt.date) -> Day:
        """List a day; partition values compare as integers, keys ignore case."""
        found: list[tuple[tuple[str, ...], str]] = [((), self._root)]
        with self._readable():
            for key, value in zip(KEYS, (date.year, date.month, date.day), strict=False):
                found = [
                    ((*keys, name), path)
                    for above, folder in found
                    for keys, name, path in self._below(above, folder, key)
                    if int(name) == value
                ]
            partitions: list[Partition] = []
            files: list[Mapping[str, Any]] = []
            left_out: list[str] = []
            for above, folder in found:
                hours = [
                    Partition((*keys, name), path)
                    for keys, name, path in self._below(above, folder, "h")
                ]
                partitions += hours
                inside = {hour.path for hour in hours}
                left_out += [
                    entry["name"] for entry in self._visible(folder) if entry["name"] not in inside
                ]
                for hour in hours:
                    for entry in self._visible(hour.path):
                        if entry["type"] == "directory":
                            left_out.append(entry["name"])
                        else:
                            files.append(entry)
        return Day(partitions, files, left_out)

    def newest(self) -> dt.date | None:
        """Return the newest day that has files."""
        days = set()
        with self._readable():
            for _, year, in_year in self._below((), self._root, "y"):
                for _, month, in_month in self._below((), in_year, "m"):
                    for _, day, _ in self._below((), in_month, "d"):
                        with suppress(ValueError):  # Not a day of the calendar.
                            days.add(dt.date(int(year), int(month), int(day)))
        return next((day for day in sorted(days, reverse=True) if self.day(day).files), None)

    def state(self, date: dt.date) -> list[list[str]]:
        """Return the files of a day with their sizes and modification times."""
        return sorted(
            [str(file["name"]), str(file.get("size")), *(str(file.get(name)) for name in STAMPS)]
            for file in self.day(date).files
        )

    def warnings(self, date: dt.date, day: Day) -> Iterator[str]:
        """Yield warnings of files that are not read and of missing columns.

        Raises:
            ConfigError: No file has a column that the pipeline needs.
        """
        if day.left_out:
            yield (
                f"telemetry of {self.pipeline.name} on {date}: {len(day.left_out)} entries outside "
                f"or below the hour folders are not read, such as {printable(day.left_out[0])}"
            )
        described = self.pipeline.telemetry
        needed, missing = set(described.needed), list[str]()
        for file in day.files:
            found = set(self.columns(file))
            needed -= found
            missing = [
                name
                for name in described.columns
                if name not in found and name not in described.unused
            ]
            if not needed:
                break
        if day.files and needed:
            raise ConfigError(
                f"telemetry of {self.pipeline.name} on {date} lacks the columns "
                f"{', '.join(sorted(needed))}: {printable(day.files[0]['name'])} has "
                f"{', '.join(self.columns(day.files[0]))}; write them under the names of the "
                "description, or correct SPOT_OA_RAW_URI"
            )
        if missing:
            yield (
                f"telemetry of {self.pipeline.name} on {date} lacks the columns "
                f"{', '.join(missing)}: they are NULL"
            )

    def columns(self, file: Mapping[str, Any]) -> list[str]:
        """Return the names of a file's columns, in lower case.

        Raises:
            WarehouseError: The file is not readable Parquet.
        """
        try:
            with self._readable(), self._system.open(file["name"], "rb") as opened:
                return [name.lower() for name in pq.read_schema(opened).names]
        except pa.ArrowException as error:
            raise WarehouseError(
                f"telemetry {printable(file['name'])} is not readable Parquet "
                f"({printable(error)[:200]}); replace the file, or move it out of the folder"
            ) from error

    def create(self, table: str) -> str:
        """Return the statement that creates the table over the folders."""
        columns = ", ".join(f"`{c}` {kind}" for c, kind in self.pipeline.telemetry.columns.items())
        keys = ", ".join(f"`{key}` string" for key in KEYS)
        return (
            f"create external table if not exists {table} ({columns}) partitioned by ({keys}) "
            f"stored as parquet location {literal(self.location)}"
        )

    def add(self, table: str, partitions: Sequence[Partition]) -> str:
        """Return the statement that adds the missing ones of these partitions."""
        listed = " ".join(
            "partition ("
            + ", ".join(f"`{key}` = {literal(name)}" for key, name in zip(KEYS, keys, strict=True))
            + f") location {literal(self._location(path))}"
            for keys, path in partitions
        )
        return f"alter table {table} add if not exists {listed}"

    def _below(
        self, above: tuple[str, ...], folder: str, key: str
    ) -> list[tuple[tuple[str, ...], str, str]]:
        """Return the folders of a key: the values of the keys above, its own value, the path."""
        pattern = re.compile(rf"{key}=(\d{{1,9}})", re.ASCII | re.IGNORECASE)
        return [
            (above, found[1], entry["name"])
            for entry in self._visible(folder)
            if entry["type"] == "directory"
            and (found := pattern.fullmatch(entry["name"].rpartition("/")[2]))
        ]

    def _visible(self, folder: str) -> list[Mapping[str, Any]]:
        entries = self._system.ls(folder, detail=True, refresh=True)
        entries = [{**entry, "name": str(entry["name"]).rstrip("/")} for entry in entries]
        return sorted(
            (
                entry
                for entry in entries
                # Object stores list a folder in itself.
                if entry["name"] != folder.rstrip("/")
                and not entry["name"].rpartition("/")[2].startswith((".", "_"))
            ),
            key=lambda entry: str(entry["name"]),
        )

    @property
    def _shown(self) -> str:
        return printable(without_userinfo(self.uri))

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Raise an error for an unreadable folder; skipped, it would look like a day without data.

        A folder that is removed meanwhile is an error too.
        """
        try:
            yield
        except (OSError, RuntimeError, ValueError, ImportError) as error:
            if isinstance(error, pa.ArrowException):
                raise
            raise WarehouseError(
                f"telemetry {self._shown} cannot be read ({printable(error)[:300]}); let this user "
                "read it, or correct SPOT_OA_RAW_URI",
                transient=isinstance(error, (OSError, RuntimeError)),
            ) from error
