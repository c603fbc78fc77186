"""The embedded warehouse: one DuckDB file; telemetry is scanned in place."""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa

from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, WarehouseError, printable
from spot_oa.pipelines import Pipeline, Related
from spot_oa.settings import Settings
from spot_oa.warehouse import Exposed, Hour
from spot_oa.warehouse.duckdb.parquet import SESSION, SQL_TYPES, copy_sorted, interrupts, reason
from spot_oa.warehouse.duckdb.telemetry import (
    days,
    files_of,
    found_columns,
    left_out,
    query,
    readable,
)
from spot_oa.warehouse.tables import Table, name_key

_DOOR = threading.Lock()
"""Serialises connect and close: DuckDB fails to open a file while another thread closes it."""


class _SliceWriter:
    """Holds appended rows until the next append, so `fill` seldom has to update written rows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, part: Slice) -> None:
        self._connection = connection
        self._keys: dict[str, object] = {"pipeline": part.pipeline, **part.ymd}
        self._filled: dict[str, dict[str, object]] = {}
        self._held: dict[str, tuple[Table, pa.Table]] = {}
        self._written: set[str] = set()

    def keys(self, table: Table) -> dict[str, object]:
        return {name: value for name, value in self._keys.items() if name in table.columns}

    def clear(self, table: Table) -> None:
        where, values = self._where(table)
        self._connection.execute(f"delete from {table} where {where}", values)  # noqa: S608

    def append(self, table: Table, rows: pa.Table) -> None:
        self._write(table)
        self._held[str(table)] = table, rows

    def fill(self, table: Table, **values: object) -> None:
        self._filled.setdefault(str(table), {}).update(values)
        if str(table) in self._written:
            assign = ", ".join(f"{name} = ?" for name in values)
            where, keys = self._where(table)
            self._connection.execute(
                f"update {table} set {assign} where {where}",  # noqa: S608
                [*values.values(), *keys],
            )

    def write(self) -> None:
        for table, _ in tuple(self._held.values()):
            self._write(table)

    def _write(self, table: Table) -> None:
        _, rows = self._held.pop(str(table), (table, None))
        if rows is not None:
            constants = self.keys(table) | self._filled.get(str(table), {})
            _insert(self._connection, table, rows, constants)
            self._written.add(str(table))

    def _where(self, table: Table) -> tuple[str, list[object]]:
        keys = self.keys(table)
        return " and ".join(f"{name} = ?" for name in keys), list(keys.values())


class DuckDBWarehouse:
    """One file with one writer at a time; identifiers come from descriptions, values are bound."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.warehouse
        self._raw_uri = settings.raw_uri
        # The same settings as in profiles.yml.
        self.config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": settings.memory_limit,
            "temp_directory": str(settings.spill_dir),
        }

    @contextmanager
    def _connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = self._open()
        try:
            with interrupts():
                yield connection
        except duckdb.Error as error:
            raise WarehouseError(f"warehouse {self._path}: {reason(error)}") from error
        finally:
            with _DOOR:
                connection.close()

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with interrupts():
                with _DOOR:
                    connection = duckdb.connect(str(self._path), config=self.config)
                connection.execute(SESSION)
        except (duckdb.Error, OSError) as error:
            why = reason(error)
            held = "could not set lock" in why.lower()
            advice = (
                "another program has it open: close it; to only read, use the published Parquet"
                if held
                else "correct SPOT_OA_WAREHOUSE, or move the file away"
            )
            raise WarehouseError(
                f"warehouse {self._path} cannot be opened ({why}); {advice}", transient=held
            ) from error
        return connection

    def exists(self) -> bool:
        """See `Warehouse.exists`."""
        if self._path.exists():
            return True
        folder = next(parent for parent in self._path.parents if parent.exists())
        if not os.access(folder, os.W_OK):
            raise WarehouseError(
                f"warehouse {self._path}: {folder} is not writable; allow it, or correct "
                "SPOT_OA_WAREHOUSE"
            )
        return False

    def prepare(self, tables: Sequence[Table]) -> None:
        """See `Warehouse.prepare`."""
        with self._connect() as connection:
            for schema in sorted({table.schema for table in tables}):
                connection.execute(f"create schema if not exists {schema}")
            for table in tables:
                columns = {name: SQL_TYPES[kind] for name, kind in table.columns.items()}
                listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
                connection.execute(f"create table if not exists {table} ({listed})")
                found = {
                    row[0]: row[1].lower()
                    for row in connection.execute(f"describe {table}").fetchall()
                }
                if found != columns:
                    differing = ", ".join(sorted(dict(found.items() ^ columns.items())))
                    raise WarehouseError(
                        f"warehouse {self._path}: {table} has other columns than its description "
                        f"({differing}); alter the table or use a new warehouse"
                    )

    def _telemetry(self, pipeline: Pipeline) -> Path:
        return _local(self._raw_uri) / pipeline.name

    def _existing_telemetry(self, pipeline: Pipeline) -> Path:
        root = self._telemetry(pipeline)
        if not root.is_dir():
            raise ConfigError(
                f"telemetry folder {root} does not exist; put the Parquet there, "
                "or correct SPOT_OA_RAW_URI"
            )
        return root

    def expose_telemetry(self, pipeline: Pipeline, dates: Sequence[dt.date]) -> Exposed:
        """See `Warehouse.expose_telemetry`; partitions may be written m=7 or m=07.

        The view lists the day's current files, so both scans of a run see the same rows even if
        files are added meanwhile.
        """
        root = self._existing_telemetry(pipeline)
        of_dates = {date: files_of(root, date) for date in dates}
        files = [file for day in of_dates.values() for file in day.files]
        with self._connect() as connection:
            connection.execute("create schema if not exists raw")
            shown, warnings = query(connection, pipeline, root, files)
            connection.execute(f"create or replace view raw.{pipeline.name} as {shown}")
        return Exposed(
            [date for date, day in of_dates.items() if not day.files],
            [*(one for day in of_dates.values() for one in left_out(day)), *warnings],
        )

    def add_hours(self, pipeline: Pipeline, hours: Sequence[Hour]) -> None:
        """See `Warehouse.add_hours`; nothing to do, every run lists the folders itself."""

    def newest_telemetry(self, pipeline: Pipeline) -> dt.date | None:
        """See `Warehouse.newest_telemetry`; searches the folders, newest first."""
        root = self._existing_telemetry(pipeline)
        return next((date for date in days(root) if files_of(root, date).files), None)

    def telemetry_columns(self, pipeline: Pipeline, date: dt.date) -> Sequence[str]:
        """See `Warehouse.telemetry_columns`; does not open the warehouse, which may be in use."""
        files = files_of(self._telemetry(pipeline), date).files
        with readable():
            newest = max(files, key=lambda file: (file.stat().st_mtime_ns, file))
        with interrupts(), duckdb.connect(":memory:") as connection:
            return found_columns(connection, pipeline, newest)

    def telemetry_state(self, pipeline: Pipeline, date: dt.date) -> object:
        """See `Warehouse.telemetry_state`: the files with their sizes and modification times."""
        root = self._telemetry(pipeline)
        files = files_of(root, date).files if root.is_dir() else []
        with readable():
            found = [(str(file), file.stat()) for file in files]
        return [(file, stat.st_size, stat.st_mtime_ns) for file, stat in found]

    @contextmanager
    def replacing(self, part: Slice, *tables: Table) -> Iterator[_SliceWriter]:
        """See `Warehouse.replacing`; one transaction."""
        with self._connect() as connection:
            # Ordered tables have an order column; preserving insertion order doubles the time.
            connection.execute("set preserve_insertion_order = false")
            connection.begin()
            writer = _SliceWriter(connection, part)
            try:
                for table in tables:
                    writer.clear(table)
                yield writer
                writer.write()
                connection.commit()
            except BaseException:
                # On a full disk the transaction is already aborted; show that error, not this one.
                with suppress(duckdb.TransactionException):
                    connection.rollback()
                raise

    def add(self, table: Table, rows: pa.Table) -> None:
        """See `Warehouse.add`."""
        with self._connect() as connection:
            _insert(connection, table, rows, {})

    def latest(
        self, table: Table, by: str, count: int, pipeline: str | None = None
    ) -> list[dict[str, Any]]:
        """See `Warehouse.latest`."""
        with self._connect() as connection:
            cursor = connection.execute(
                f"select * from {table} where pipeline = coalesce(?, pipeline) "  # noqa: S608
                f"order by {by} desc limit ?",
                [pipeline, count],
            )
            return [dict(zip(table.columns, row, strict=True)) for row in cursor.fetchall()]

    def distinct(self, table: Table, column: str, part: Slice, by: str = "rank") -> list[str]:
        """See `Warehouse.distinct`."""
        with self._connect() as connection:
            rows = connection.execute(
                f"select {column} from {table} where y = ? and m = ? and d = ? "  # noqa: S608
                f"and {column} is not null group by {column} order by min({by})",
                list(part.ymd.values()),
            ).fetchall()
        return [row[0] for row in rows]

    def rows(self, table: Table, columns: Sequence[str], part: Slice) -> list[tuple[Any, ...]]:
        """See `Warehouse.rows`."""
        with self._connect() as connection:
            return connection.execute(
                f"select {', '.join(columns)} from {table} "  # noqa: S608
                "where y = ? and m = ? and d = ? order by rank",
                list(part.ymd.values()),
            ).fetchall()

    def dates(self, table: Table) -> list[dt.date]:
        """See `Warehouse.dates`."""
        if not self.exists():
            return []
        with self._connect() as connection:
            there = connection.execute(
                "select 1 from duckdb_tables() where schema_name = ? and table_name = ?",
                [table.schema, table.name],
            ).fetchall()
            found = (
                connection.execute(f"select distinct y, m, d from {table}").fetchall()  # noqa: S608
                if there
                else []
            )
        return sorted(dt.date(*row) for row in found)

    def related(self, pipeline: Pipeline, related: Related, part: Slice) -> list[str]:
        """See `Warehouse.related`."""
        shared = name_key if pipeline.is_name(related.shares) else str
        with self._connect() as connection:
            rows = connection.execute(
                f"select distinct raw.{related.column} "  # noqa: S608
                f"from raw.{pipeline.name} as raw "
                f"where raw.y = ? and raw.m = ? and raw.d = ? and raw.{related.column} is not null "
                f"and {shared('raw.' + related.shares)} in (select {shared(related.shares)} "
                f"from raw.{pipeline.results_table} where y = ? and m = ? and d = ?) order by 1",
                [*part.ymd.values(), *part.ymd.values()],
            ).fetchall()
        return [row[0] for row in rows]

    def export(
        self, table: str, part: Slice, order_by: Sequence[str], path: Path, meta: Mapping[str, str]
    ) -> int:
        """See `Warehouse.export`."""
        with self._connect() as connection:
            return copy_sorted(
                connection,
                f"select * from oa.{table} where y = ? and m = ? and d = ?",  # noqa: S608
                parameters=list(part.ymd.values()),
                order_by=order_by,
                path=path,
                meta=meta,
            )


def _insert(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    rows: pa.Table,
    constants: Mapping[str, object],
) -> None:
    """Insert rows by column name, with the same constants in every row."""
    connection.register("inserted_rows", rows)
    columns = "".join(f", ? as {name}" for name in constants)
    connection.execute(
        f"insert into {table} by name select *{columns} from inserted_rows",  # noqa: S608
        list(constants.values()),
    )
    connection.unregister("inserted_rows")


def _local(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        raise ConfigError(
            f"SPOT_OA_RAW_URI={printable(uri)}: the duckdb target reads telemetry from local "
            "folders; give a path or a file:// URL"
        )
    return Path(parts.path if parts.scheme else uri).absolute()
