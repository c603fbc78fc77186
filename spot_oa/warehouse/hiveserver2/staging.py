"""Send rows to the engine as text, into a staging table with string columns only.

One statement then casts them and inserts them into the target. HiveServer2 cannot bind values, so
clients, impyla too, write them into the SQL text; here `literal` alone does that. If a folder is
configured that the cluster can read, rows are written there as files.
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
"""Approximate number of characters in one INSERT; Impala accepts 16 MB."""

_ESCAPES = {ord("\\"): "\\\\", ord("'"): "\\'", ord('"'): '\\"', ord("\n"): "\\n", ord("\r"): "\\r"}
# Not \0: following digits would be read as part of it.
_ESCAPES |= {0: "\\u0000", 26: "\\u001a"}
_SCHEMES = {"": "", "file": "", "hdfs": "", "webhdfs": "", "s3": "s3a://", "gcs": "gs://"}
"""fsspec's name of a file system -> prefix of Impala's LOCATION; HDFS is the default."""


def literal(value: object) -> str:
    r"""Quote a value as a text literal in SQL, or return NULL.

    Impala and Spark, like Hive, read backslash escapes in literals, but not doubled quotes.
    """
    text = as_text(value)
    return "NULL" if text is None else "'" + text.translate(_ESCAPES) + "'"


def as_text(value: object) -> str | None:
    """Convert a value to text that the engine's cast reads back without loss."""
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return repr(value) if isinstance(value, float) else str(value)


class SupportsRun(Protocol):
    """Runs statements."""

    def run(self, statement: str) -> None:
        """Run a statement and wait until it is finished."""
        ...


class Staging(Protocol):
    """A way to stage rows in a table."""

    def open(self, table: str, columns: Sequence[str]) -> None:
        """Make an empty table; drop rows that a killed run has left."""
        ...

    def put(self, table: str, rows: pa.Table) -> None:
        """Add rows; missing columns are NULL."""
        ...

    def settle(self, table: str) -> str:
        """Make the engine see all rows; return the FROM expression to select them."""
        ...

    def drop(self, table: str) -> None:
        """Remove the table and its rows."""
        ...


class Statements:
    """Rows in the text of INSERT statements; needs only the daemon."""

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
        """See `Staging.settle`; the INSERT statements already made the rows visible."""
        return table

    def drop(self, table: str) -> None:
        """See `Staging.drop`."""
        self._session.run(f"drop table if exists {table}")


class Views:
    """Rows in the text of temporary views, which disappear with the session, however it ends."""

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
        """See `Staging.drop`; nothing to do, the views end with the session."""


class Files:
    """Rows as Parquet files in a folder of the cluster, read through an external table."""

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
        """See `Staging.put`; writes a file with every column, as Impala reads them by position."""
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
        """See `Staging.drop`; also deletes the files, which dropping an external table leaves."""
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
                f"{setting}: the folder cannot be written ({printable(error)[:300]}); "
                "allow writing, correct it, or unset it",
                transient=isinstance(error, (OSError, RuntimeError)),
            ) from error


def staging(session: SupportsRun, dialect: Dialect) -> Staging:
    """Return the way to stage rows that the settings select."""
    if dialect.staging_uri:
        return Files(session, dialect)
    return Views(session) if dialect.views_hold_rows else Statements(session)


def engine_path(uri: str) -> str:
    """Convert the fsspec URI of a folder to the location that the cluster uses."""
    parts = urlsplit(uri)
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None:
        return uri
    return f"{scheme}{parts.netloc}{parts.path}" if scheme else parts.path


def _strings(columns: Sequence[str]) -> str:
    return ", ".join(f"`{name}` string" for name in columns)


def _value_lists(rows: pa.Table) -> Iterator[list[str]]:
    """Yield the rows as `(literal, ...)`, in lists that fit into one statement."""
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
