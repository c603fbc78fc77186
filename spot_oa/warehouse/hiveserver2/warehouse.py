"""The warehouse on an engine with a HiveServer2 interface, through impyla."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pyarrow as pa
from impala.error import Error
from thrift.Thrift import TException

from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, SpotOaError, WarehouseError
from spot_oa.pipelines import Pipeline, Related, Type
from spot_oa.settings import Settings
from spot_oa.warehouse import Exposed, Hour
from spot_oa.warehouse.duckdb.parquet import write_sorted
from spot_oa.warehouse.hiveserver2.connection import connect, failure
from spot_oa.warehouse.hiveserver2.dialect import Dialect, Server
from spot_oa.warehouse.hiveserver2.folders import Folders
from spot_oa.warehouse.hiveserver2.staging import literal, staging
from spot_oa.warehouse.tables import ARROW_TYPES, REJECTS, Table, name_key

PARTITIONS = ("pipeline", "y", "m", "d")
FETCH_ROWS = 10240


class _Session:
    """A connection and its cursor; every error becomes a WarehouseError that names the server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = connect(server)
        self._cursor = self._connection.cursor()
        self._cursor.arraysize = FETCH_ROWS

    def run(self, statement: str) -> None:
        """Run a statement and wait until it is finished."""
        try:
            self._cursor.execute(statement)
        except (Error, TException, OSError) as error:
            raise failure(self._server, error) from error

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return [row for batch in self.batches(query) for row in batch]

    def batches(self, query: str) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query, some thousands at a time."""
        self.run(query)
        try:
            while batch := self._cursor.fetchmany(FETCH_ROWS):
                yield batch
        except (Error, TException, OSError) as error:
            raise failure(self._server, error) from error

    def close(self) -> None:
        """Close the connection, even a lost one."""
        with suppress(Error, TException, OSError):
            self._cursor.close()
        with suppress(Error, TException, OSError):
            self._connection.close()


class _SliceWriter:
    """Stages rows in a table per target table; one statement casts them and replaces the slice.

    The staging table is named by its slice, so the next run replaces what a run that died has left.
    """

    def __init__(
        self, session: _Session, dialect: Dialect, settings: Settings, part: Slice
    ) -> None:
        self._session = session
        self._staging = staging(session, dialect)
        self._settings = settings
        self._part = part
        self._keys: dict[str, object] = {"pipeline": part.pipeline, **part.ymd}
        self._filled: dict[str, dict[str, object]] = {}

    def _stage(self, table: Table) -> str:
        return f"{_name(self._settings, table)}__{self._part.pipeline}_{self._part.compact}"

    def clear(self, table: Table) -> None:
        self._staging.open(self._stage(table), list(_own(table)))

    def drop(self, table: Table) -> None:
        self._staging.drop(self._stage(table))

    def append(self, table: Table, rows: pa.Table) -> None:
        self._staging.put(self._stage(table), rows)

    def fill(self, table: Table, **values: object) -> None:
        self._filled.setdefault(str(table), {}).update(values)

    def swap(self, table: Table) -> None:
        staged = self._staging.settle(self._stage(table))
        filled = self._filled.get(str(table), {})
        columns = ", ".join(
            f"cast({literal(filled[name]) if name in filled else f'`{name}`'} as {kind}) "
            f"as `{name}`"
            for name, kind in _own(table).items()
        )
        keys = ", ".join(
            f"`{name}` = {literal(value) if isinstance(value, str) else value}"
            for name, value in self._keys.items()
            if name in table.columns
        )
        self._session.run(
            f"insert overwrite table {_name(self._settings, table)} partition ({keys}) "  # noqa: S608
            f"select {columns} from {staged}"
        )


class HiveServer2Warehouse:
    """Databases on a cluster; tables partitioned by their slice, as Parquet.

    Identifiers come from descriptions and settings, which allow plain names only.

    Transactions over several statements do not exist. Rows are staged first, then one statement per
    table replaces the slice atomically; a crash between two tables leaves the old slice of one with
    the new slice of another until the rerun.
    """

    def __init__(self, settings: Settings, dialect: Dialect) -> None:
        self._settings = settings
        self._dialect = dialect
        self._where = dialect.server.where

    @contextmanager
    def _connect(self) -> Iterator[_Session]:
        session = _Session(self._dialect.server)
        try:
            yield session
        finally:
            session.close()

    def _tables_in(self, session: _Session, database: str) -> set[str] | None:
        """Return the tables and views of a database, or None if it does not exist."""
        if database not in {row[0] for row in session.rows("show databases")}:
            return None
        return self._dialect.tables(session.rows(f"show tables in {database}"))

    def _described(self, session: _Session, table: str) -> dict[str, Type]:
        found = self._dialect.columns(session.rows(f"describe {table}"))
        return {name: cast("Type", kind.lower()) for name, kind in found.items()}

    def exists(self) -> bool:
        """See `Warehouse.exists`."""
        with self._connect() as session:
            return self._tables_in(session, self._settings.database(REJECTS.schema)) is not None

    def prepare(self, tables: Sequence[Table]) -> None:
        """See `Warehouse.prepare`; skips what exists: CREATE may need a privilege even then."""
        with self._connect() as session:
            for schema in sorted({table.schema for table in tables}):
                database = self._settings.database(schema)
                there = self._tables_in(session, database)
                if there is None:
                    session.run(f"create database if not exists {database}")
                for table in (table for table in tables if table.schema == schema):
                    if table.name not in (there or ()):
                        session.run(create_table(self._settings, table))
                    self._check(session, table)

    def _check(self, session: _Session, table: Table) -> None:
        found = self._described(session, _name(self._settings, table))
        wanted = {**_own(table), **_partitions(table)}
        if found != wanted:
            differing = ", ".join(sorted(dict(found.items() ^ wanted.items())))
            raise WarehouseError(
                f"{self._where}: {_name(self._settings, table)} has other columns than "
                f"its description ({differing}); alter the table or use another "
                "SPOT_OA_SCHEMA_PREFIX"
            )

    def add(self, table: Table, rows: pa.Table) -> None:
        """See `Warehouse.add`; one statement, so that each partition gets one file."""
        columns = [*_own(table), *_partitions(table)]
        values = [
            ", ".join(
                f"cast({literal(row.get(name))} as {table.columns[name]}) as `{name}`"
                for name in columns
            )
            for row in rows.to_pylist()
        ]
        keys = ", ".join(f"`{name}`" for name in _partitions(table))
        with self._connect() as session:
            session.run(
                f"insert into {_name(self._settings, table)} partition ({keys}) "
                f"select {' union all select '.join(values)}"
            )

    def latest(
        self, table: Table, by: str, count: int, pipeline: str | None = None
    ) -> list[dict[str, Any]]:
        """See `Warehouse.latest`."""
        columns = ", ".join(f"`{name}`" for name in table.columns)
        only = f"where `pipeline` = {literal(pipeline)} " if pipeline else ""
        with self._connect() as session:
            rows = session.rows(
                f"select {columns} from {_name(self._settings, table)} {only}"  # noqa: S608
                f"order by `{by}` desc limit {int(count)}"
            )
        return [dict(zip(table.columns, map(_text, row), strict=True)) for row in rows]

    def _own_folders(self, session: _Session, pipeline: Pipeline) -> Folders | None:
        """Return the folders under the project's own telemetry table; create a missing table.

        None if the settings name an existing table.

        Raises:
            ConfigError: The table is over other folders: a run would read other telemetry.
        """
        settings, uri = self._settings, self._dialect.telemetry_uri
        if not uri or settings.telemetry_schema or pipeline.name in settings.telemetry_tables:
            return None
        folders = Folders(uri, pipeline)
        folders.check()
        name = settings.telemetry_table(pipeline.name)
        database, _, table = name.partition(".")
        there = self._tables_in(session, database)
        if table not in (there or ()):
            if there is None:
                session.run(f"create database if not exists {database}")
            session.run(folders.create(name))
            return folders
        found = dict(row[:2] for row in session.rows(f"describe formatted {name}")).get("Location")
        if not _same_place(str(found), folders.location):
            raise ConfigError(
                f"{self._where}: telemetry table {name} is over {found}, not {folders.location}; "
                f"correct SPOT_OA_RAW_URI, or set SPOT_OA_TELEMETRY_SCHEMA={database} to read the "
                "table as it is"
            )
        return folders

    def _check_telemetry(self, session: _Session, pipeline: Pipeline) -> None:
        name = self._settings.telemetry_table(pipeline.name)
        database, _, table = name.partition(".")
        setting = f"SPOT_OA_TELEMETRY_SCHEMA or SPOT_OA_TELEMETRY_TABLES__{pipeline.name.upper()}"
        if table not in (self._tables_in(session, database) or ()):
            raise ConfigError(
                f"{self._where}: there is no telemetry table {name}; correct {setting}"
            )
        found = self._described(session, name)
        missing = {*pipeline.telemetry.columns, *"ymdh"} - set(found)
        if missing:
            raise ConfigError(
                f"{self._where}: telemetry table {name} lacks "
                f"{', '.join(sorted(missing))}: it has {', '.join(found)}; add them (a view will "
                f"do), or correct {setting}"
            )

    def expose_telemetry(self, pipeline: Pipeline, dates: Sequence[dt.date]) -> Exposed:
        """See `Warehouse.expose_telemetry`; an existing table already shows all its dates."""
        with self._connect() as session:
            if folders := self._own_folders(session, pipeline):
                return self._expose_folders(session, folders, dates)
            self._check_telemetry(session, pipeline)
            self._refresh(session, pipeline)
            found = {
                date
                for date in dates
                if session.rows(
                    f"select 1 from {self._settings.telemetry_table(pipeline.name)} "  # noqa: S608
                    f"where {_of_date(date)} limit 1"
                )
            }
        return Exposed([date for date in dates if date not in found])

    def _expose_folders(
        self, session: _Session, folders: Folders, dates: Sequence[dt.date]
    ) -> Exposed:
        """Add the missing partitions of the dates."""
        table = self._settings.telemetry_table(folders.pipeline.name)
        days = {date: folders.day(date) for date in dates}
        warnings = [one for date, day in days.items() for one in folders.warnings(date, day)]
        for day in days.values():
            if day.partitions:
                session.run(folders.add(table, day.partitions))
        return Exposed([date for date, day in days.items() if not day.files], warnings)

    def _refresh(self, session: _Session, pipeline: Pipeline) -> None:
        if not self._settings.telemetry_refresh:
            return
        try:
            session.run(self._dialect.refresh(self._settings.telemetry_table(pipeline.name)))
        except WarehouseError as error:
            raise WarehouseError(
                f"{error}, or set SPOT_OA_TELEMETRY_REFRESH=false: a view cannot be refreshed",
                transient=error.transient,
            ) from error

    def add_hours(self, pipeline: Pipeline, hours: Sequence[Hour]) -> None:
        """See `Warehouse.add_hours`; the keys determine the folder of a partition."""
        table = self._settings.telemetry_table(pipeline.name)
        with self._connect() as session:
            if folders := self._own_folders(session, pipeline):
                for date in sorted({dt.date(hour.y, hour.m, hour.d) for hour in hours}):
                    if added := folders.day(date).partitions:
                        session.run(folders.add(table, added))
                return
            self._check_telemetry(session, pipeline)
            kinds = self._described(session, table)
            for hour in hours:
                keys = ", ".join(
                    f"{key}={_key(value, kinds[key], pipeline.telemetry.digits)}"
                    for key, value in hour._asdict().items()
                )
                session.run(f"alter table {table} add if not exists partition ({keys})")
                session.run(self._dialect.refresh(table, keys))

    def newest_telemetry(self, pipeline: Pipeline) -> dt.date | None:
        """See `Warehouse.newest_telemetry`; by the partition keys."""
        with self._connect() as session:
            if folders := self._own_folders(session, pipeline):
                return folders.newest()
            self._check_telemetry(session, pipeline)
            days = session.rows(
                "select distinct cast(y as int), cast(m as int), cast(d as int) "  # noqa: S608
                f"from {self._settings.telemetry_table(pipeline.name)} where cast(d as int) > 0 "
                "order by 1 desc, 2 desc, 3 desc limit 1"
            )
        return dt.date(*days[0]) if days else None

    def telemetry_columns(self, pipeline: Pipeline, date: dt.date) -> Sequence[str]:
        """See `Warehouse.telemetry_columns`; an existing table has the same columns every day."""
        with self._connect() as session:
            if folders := self._own_folders(session, pipeline):
                *_, last = folders.day(date).files
                found = folders.columns(last)
                return [name for name in pipeline.telemetry.columns if name in found]
            self._check_telemetry(session, pipeline)
        return list(pipeline.telemetry.columns)

    def telemetry_state(self, pipeline: Pipeline, date: dt.date) -> object:
        """See `Warehouse.telemetry_state`: the day's files, which never change once written."""
        try:
            with self._connect() as session:
                if folders := self._own_folders(session, pipeline):
                    return folders.state(date)
                self._refresh(session, pipeline)
                table = self._settings.telemetry_table(pipeline.name)
                files = session.rows(self._dialect.files(table, _of_date(date)))
        except SpotOaError:
            return None
        return sorted([str(cell) for cell in file] for file in files)

    @contextmanager
    def replacing(self, part: Slice, *tables: Table) -> Iterator[_SliceWriter]:
        """See `Warehouse.replacing`."""
        with self._connect() as session:
            writer = _SliceWriter(session, self._dialect, self._settings, part)
            try:
                for table in tables:
                    writer.clear(table)
                yield writer
                for table in tables:
                    writer.swap(table)
            finally:
                with suppress(WarehouseError):
                    for table in tables:
                        writer.drop(table)

    def distinct(self, table: Table, column: str, part: Slice, by: str = "rank") -> list[str]:
        """See `Warehouse.distinct`."""
        with self._connect() as session:
            rows = session.rows(
                f"select `{column}` from {_name(self._settings, table)} "  # noqa: S608
                f"where {_of_slice(part)} and `{column}` is not null "
                f"group by `{column}` order by min(`{by}`)"
            )
        return [_text(row[0]) for row in rows]

    def rows(self, table: Table, columns: Sequence[str], part: Slice) -> list[tuple[Any, ...]]:
        """See `Warehouse.rows`."""
        with self._connect() as session:
            rows = session.rows(
                f"select {', '.join(f'`{name}`' for name in columns)} "  # noqa: S608
                f"from {_name(self._settings, table)} where {_of_slice(part)} order by `rank`"
            )
        text = [table.columns[name] == "string" for name in columns]
        return [
            tuple(
                _text(value) if is_text and value is not None else value
                for value, is_text in zip(row, text, strict=True)
            )
            for row in rows
        ]

    def dates(self, table: Table) -> list[dt.date]:
        """See `Warehouse.dates`."""
        with self._connect() as session:
            database = self._settings.database(table.schema)
            if table.name not in (self._tables_in(session, database) or ()):
                return []
            found = session.rows(
                f"select distinct `y`, `m`, `d` from {_name(self._settings, table)}"  # noqa: S608
            )
        return sorted(dt.date(*map(int, row)) for row in found)

    def related(self, pipeline: Pipeline, related: Related, part: Slice) -> list[str]:
        """See `Warehouse.related`."""
        shared = name_key if pipeline.is_name(related.shares) else str
        telemetry = self._settings.telemetry_table(pipeline.name)
        results = f"{self._settings.database('raw')}.{pipeline.results_table}"
        with self._connect() as session:
            rows = session.rows(
                f"select distinct t.`{related.column}` from {telemetry} as t "  # noqa: S608
                f"where {_of_date(part.date)} and t.`{related.column}` is not null "
                f"and {shared(f't.`{related.shares}`')} in "
                f"(select {shared(f'r.`{related.shares}`')} from {results} as r "
                f"where {_of_slice(part)}) order by 1"
            )
        return [_text(row[0]) for row in rows]

    def export(
        self, table: str, part: Slice, order_by: Sequence[str], path: Path, meta: Mapping[str, str]
    ) -> int:
        """See `Warehouse.export`; DuckDB writes the file, so it is the same as on duckdb."""
        name = f"{self._settings.database('oa')}.{table}"
        with self._connect() as session:
            kinds = self._described(session, name)
            listed = ", ".join(f"`{column}`" for column in kinds)
            schema = pa.schema([(column, ARROW_TYPES[kind]) for column, kind in kinds.items()])
            batches = [
                record_batch(batch, schema)
                for batch in session.batches(
                    f"select {listed} from {name} where {_of_slice(part)}"  # noqa: S608
                )
            ]
        return write_sorted(pa.Table.from_batches(batches, schema), order_by, path, meta)


def _same_place(one: str, other: str) -> bool:
    """Return whether two locations are the same; one may omit the host, as in `hdfs://host`."""
    mine, others = urlsplit(one), urlsplit(other)
    return mine.path.rstrip("/") == others.path.rstrip("/") and not (
        mine.netloc and others.netloc and mine.netloc != others.netloc
    )


def _name(settings: Settings, table: Table) -> str:
    return f"{settings.database(table.schema)}.{table.name}"


def _own(table: Table) -> dict[str, Type]:
    """Return the columns that are not partition keys."""
    return {name: kind for name, kind in table.columns.items() if name not in PARTITIONS}


def _partitions(table: Table) -> dict[str, Type]:
    return {name: kind for name, kind in table.columns.items() if name in PARTITIONS}


def create_table(settings: Settings, table: Table) -> str:
    """Return the statement that creates a table."""
    own, keys = (
        ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
        for columns in (_own(table), _partitions(table))
    )
    return (
        f"create table if not exists {_name(settings, table)} ({own}) "
        f"partitioned by ({keys}) stored as parquet"
    )


def _key(value: int, kind: str, digits: int) -> str:
    """Format a partition key of telemetry; proxy's keys are text, for folders like `m=07`."""
    return f"'{value:0{digits}}'" if kind == "string" else str(value)


def _of_slice(part: Slice) -> str:
    return " and ".join(f"{name} = {value}" for name, value in part.ymd.items())


def _of_date(date: dt.date) -> str:
    """Return a condition for a day of telemetry; the keys may be text like `07`, as in proxy."""
    return (
        f"cast(y as int) = {date.year} and cast(m as int) = {date.month} "
        f"and cast(d as int) = {date.day}"
    )


def record_batch(rows: Iterable[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Convert rows as impyla returns them to a typed record batch."""
    columns = []
    for field, values in zip(schema, zip(*rows, strict=True), strict=True):
        text = pa.types.is_string(field.type)
        columns.append(pa.array([_text(v) if text else v for v in values], field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _text(value: Any) -> Any:
    r"""Decode text that impyla returns as bytes; bytes that are not UTF-8 become `\xNN`."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
