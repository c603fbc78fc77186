"""Carry rows to the engine: as text into a staging table, all of whose columns are strings.

One statement then types them and puts them where they belong. HiveServer2 binds no values: a client
can only write them into the SQL text, and so does impyla. Here they become text literals in one
place (`literal`). Where a folder is configured that the cluster reads too, they go there as files.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from spot_oa.errors import WarehouseError, printable
from spot_oa.warehouse.hiveserver2.dialect import Dialect

BATCH_ROWS = 200
"""Rows in one INSERT: Impala plans a VALUES list as an expression per value."""
BATCH_TEXT = 1 << 20
"""Characters in one INSERT, about; Impala takes 16 MB."""

_ESCAPES = {ord("\\"): "\\\\", ord("'"): "\\'", ord('"'): '\\"', ord("\n"): "\\n", ord("\r"): "\\r"}
# Not \0: digits after it would be read with it.
_ESCAPES |= {0: "\\u0000", 26: "\\u001a"}
_SCHEMES = {"": "", "file": "", "hdfs": "", "webhdfs": "", "s3": "s3a://", "gcs": "gs://"}
"""fsspec's name of a file system to what Impala's LOCATION begins with; HDFS is the default."""


def literal(value: object) -> str:
    r"""A value as text in SQL: quoted, whatever is in it, or NULL.

    Impala and Spark read backslash escapes in literals, as Hive does, and no doubled quotes.
    """
    text = as_text(value)
    return "NULL" if text is None else "'" + text.translate(_ESCAPES) + "'"


def as_text(value: object) -> str | None:
    """A value as the engine's cast reads it back, to the last digit."""
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return repr(value) if isinstance(value, float) else str(value)


class SupportsRun(Protocol):
    """Carries out statements."""

    def run(self, statement: str) -> None:
        """Carry out one, to its end."""
        ...


class Staging(Protocol):
    """A staging table and what carries rows into it."""

    def open(self, table: str, columns: Sequence[str]) -> None:
        """Make an empty table; rows that a killed run has left are dropped."""
        ...

    def put(self, table: str, rows: pa.Table) -> None:
        """Add rows; columns that they lack are NULL."""
        ...

    def settle(self, table: str) -> str:
        """Make the engine see all of the rows; what to select them from."""
        ...

    def drop(self, table: str) -> None:
        """Remove the table and its rows."""
        ...


class Statements:
    """Rows in the text of INSERT statements: needs nothing but the daemon."""

    def __init__(self, session: SupportsRun) -> None:
        self._session = session

    def open(self, table: str, columns: Sequence[str]) -> None:
        """See `Staging.open`."""
        self.drop(table)
        self._session.run(f"create table {table} ({_strings(columns)}) stored as parquet")

    def put(self, table: str, rows: pa.Table) -> None:
        """See `Staging.put`; in statements of bounded size."""
        columns = ", ".join(f"`{name}`" for name in rows.column_names)
        for values in _value_lists(rows):
            self._session.run(f"insert into {table} ({columns}) values {', '.join(values)}")  # noqa: S608

    def settle(self, table: str) -> str:
        """See `Staging.settle`; each statement has done so."""
        return table

    def drop(self, table: str) -> None:
        """See `Staging.drop`."""
        self._session.run(f"drop table if exists {table}")


class Views:
    """Rows in the text of temporary views, which are gone with the session, however it ends."""

    def __init__(self, session: SupportsRun) -> None:
        self._session = session
        self._columns: dict[str, Sequence[str]] = {}
        self._views: dict[str, list[str]] = {}

    def open(self, table: str, columns: Sequence[str]) -> None:
        """See `Staging.open`."""
        self._columns[table], self._views[table] = columns, []

    def put(self, table: str, rows: pa.Table) -> None:
        """See `Staging.put`; in statements of bounded size."""
        given = ", ".join(f"`{name}`" for name in rows.column_names)
        columns = ", ".join(
            f"cast({f'`{name}`' if name in rows.column_names else 'null'} as string) as `{name}`"
            for name in self._columns[table]
        )
        for values in _value_lists(rows):
            view = f"{table.replace('.', '__')}__{len(self._views[table])}"
            self._session.run(
                f"create or replace temporary view {view} as select {columns} "  # noqa: S608
                f"from values {', '.join(values)} as given ({given})"
            )
            self._views[table].append(f"select * from {view}")  # noqa: S608

    def settle(self, table: str) -> str:
        """See `Staging.settle`."""
        columns = ", ".join(f"cast(null as string) as `{name}`" for name in self._columns[table])
        none = f"select {columns} where 1 = 0"
        return f"({' union all '.join(self._views[table] or [none])}) as staged"

    def drop(self, table: str) -> None:
        """See `Staging.drop`; the session's end does so."""


class Files:
    """Rows as Parquet files in a folder of the cluster, under an external table."""

    def __init__(self, session: SupportsRun, dialect: Dialect) -> None:
        self._session = session
        self._dialect = dialect
        self._uri = dialect.staging_uri.rstrip("/")
        self.location = dialect.staging_location.rstrip("/") or engine_path(self._uri)
        self._columns: dict[str, Sequence[str]] = {}
        self._files: dict[str, int] = {}

    def open(self, table: str, columns: Sequence[str]) -> None:
        """See `Staging.open`."""
        self.drop(table)
        self._columns[table], self._files[table] = columns, 0
        with self._folder(table) as (system, path):
            system.makedirs(path, exist_ok=True)
        self._session.run(
            f"create external table {table} ({_strings(columns)}) stored as parquet "
            f"location {literal(f'{self.location}/{table}')}"
        )

    def put(self, table: str, rows: pa.Table) -> None:
        """See `Staging.put`; a file with every column, as Impala goes by their order."""
        if not rows.num_rows:
            return
        columns = [
            pa.array([as_text(v) for v in rows[name].to_pylist()], pa.string())
            if name in rows.column_names
            else pa.nulls(rows.num_rows, pa.string())
            for name in self._columns[table]
        ]
        self._files[table] += 1
        with (
            self._folder(table) as (system, path),
            system.open(f"{path}/{self._files[table]:06}.parquet", "wb") as out,
        ):
            pq.write_table(pa.table(columns, names=list(self._columns[table])), out)

    def settle(self, table: str) -> str:
        """See `Staging.settle`."""
        self._session.run(self._dialect.refresh(table))
        return table

    def drop(self, table: str) -> None:
        """See `Staging.drop`; dropping an external table leaves its files."""
        self._session.run(f"drop table if exists {table}")
        with self._folder(table) as (system, path), suppress(FileNotFoundError):
            system.rm(path, recursive=True)

    @contextmanager
    def _folder(self, table: str) -> Iterator[tuple[Any, str]]:
        try:
            yield fsspec.core.url_to_fs(f"{self._uri}/{table}")
        except (OSError, RuntimeError, ValueError, ImportError) as error:
            setting = f"{self._dialect.server.prefix}STAGING_URI"
            raise WarehouseError(
                f"{setting}: cannot write there ({printable(error)[:300]}); "
                "allow or correct that folder, or unset it",
                transient=isinstance(error, (OSError, RuntimeError)),
            ) from error


def staging(session: SupportsRun, dialect: Dialect) -> Staging:
    """The way to carry rows that the settings ask for."""
    if dialect.staging_uri:
        return Files(session, dialect)
    return Views(session) if dialect.views_hold_rows else Statements(session)


def engine_path(uri: str) -> str:
    """A folder, of which fsspec has the URI, as a cluster names it."""
    parts = urlsplit(uri)
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None:
        return uri
    return f"{scheme}{parts.netloc}{parts.path}" if scheme else parts.path


def _strings(columns: Sequence[str]) -> str:
    return ", ".join(f"`{name}` string" for name in columns)


def _value_lists(rows: pa.Table) -> Iterator[list[str]]:
    """The rows as `(literal, ...)`, in lists that one statement can hold."""
    batch: list[str] = []
    size = 0
    for values in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        row = f"({', '.join(literal(value) for value in values)})"
        if batch and (len(batch) == BATCH_ROWS or size + len(row) > BATCH_TEXT):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += len(row)
    if batch:
        yield batch
