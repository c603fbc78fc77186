"""DuckDB helpers shared by all engines: Parquet export, literals, error messages, interrupts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from spot_oa.errors import printable
from spot_oa.pipelines import Type

SQL_TYPES: Mapping[Type, str] = {
    "string": "varchar",
    "int": "integer",
    "bigint": "bigint",
    "float": "float",
    "double": "double",
    "timestamp": "timestamp",
}

SESSION = "set timezone = 'UTC'"
"""First statement of every DuckDB session, which would otherwise use the machine's time zone."""


def text(value: str) -> str:
    """Quote a text literal for DuckDB's SQL."""
    return "'" + value.replace("'", "''") + "'"


def reason(error: Exception) -> str:
    """Return DuckDB's error message in one line; failed writes report it in JSON."""
    message = str(error).partition("\n")[0]
    written = re.search(r'"exception_message":("(?:[^"\\]|\\.)*")', message)
    return printable(json.loads(written[1]) if written else message)


@contextmanager
def interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt again where DuckDB turned one into an error of its query."""
    try:
        yield
    except (RuntimeError, duckdb.InterruptException) as error:
        if "interrupted" not in str(error).lower():
            raise
        raise KeyboardInterrupt from error
    except duckdb.InvalidInputException as error:
        # The interrupt came while DuckDB read a Python table.
        if not str(error).rstrip(" :").endswith(" failed: KeyboardInterrupt"):
            raise
        raise KeyboardInterrupt from error


def copy_sorted(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    *,
    parameters: Sequence[object] = (),
    order_by: Sequence[str],
    path: Path,
    meta: Mapping[str, str],
) -> int:
    """Write the rows of a query to a Parquet file, in a fixed order.

    Args:
        connection: The connection that runs the query.
        query: The query whose rows to write.
        parameters: The query's bound values.
        order_by: Leading sort columns; all others follow as tie-breakers.
        path: The file to write.
        meta: Key-value metadata of the file.

    Returns:
        The number of rows.

    Raises:
        OSError: The file cannot be written.
    """
    described = connection.execute(f"describe {query}", list(parameters)).fetchall()
    columns = [row[0] for row in described]
    order = [*order_by, *(name for name in columns if name not in order_by)]
    ordered = ", ".join(f'"{name}" nulls first' for name in order)
    notes = ", ".join(f'"{key}": {text(value)}' for key, value in meta.items())
    try:
        (rows,) = connection.execute(
            f"copy ({query} order by {ordered}) to {text(str(path))} "
            f"(format parquet, kv_metadata {{{notes}}})",
            list(parameters),
        ).fetchone() or (0,)
    except duckdb.IOException as error:
        raise OSError(reason(error)) from error
    return int(rows)


def write_sorted(
    rows: pa.Table, order_by: Sequence[str], path: Path, meta: Mapping[str, str]
) -> int:
    """Write rows as `copy_sorted` does."""
    with interrupts(), duckdb.connect(":memory:") as connection:
        connection.execute(SESSION)
        connection.register("rows_of_the_day", rows)
        return copy_sorted(
            connection,
            "select * from rows_of_the_day",
            order_by=order_by,
            path=path,
            meta=meta,
        )
