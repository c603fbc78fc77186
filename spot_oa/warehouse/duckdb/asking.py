"""Read-only SQL queries on published files and telemetry, in an in-memory DuckDB."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from spot_oa.errors import UsageError, printable
from spot_oa.pipelines import Pipeline
from spot_oa.warehouse.duckdb.parquet import SESSION, interrupts, reason, text
from spot_oa.warehouse.duckdb.telemetry import files_of, query


@dataclass(frozen=True, slots=True)
class RawDay:
    """A day of a pipeline's telemetry below a folder."""

    pipeline: Pipeline
    root: Path
    date: dt.date


def ask(
    sql: str,
    files: Mapping[str, Path],
    telemetry: RawDay | None = None,
    values: Mapping[str, object] | None = None,
) -> pd.DataFrame:
    """Run one SELECT; return its rows as plain Python values, None for NULL.

    Args:
        sql: DuckDB SQL; `$name` refers to a bound value.
        files: View -> the Parquet file that it shows.
        telemetry: What the view `telemetry` shows; read only if the SQL names `telemetry`.
        values: The bound values by name.

    Raises:
        UsageError: The SQL is not a single SELECT, or it fails.
        SpotOaError: Telemetry cannot be read.
    """
    with interrupts(), duckdb.connect(":memory:") as connection:
        connection.execute(SESSION)
        connection.execute("set autoinstall_known_extensions = false")
        try:
            statements = connection.extract_statements(sql)
            if [each.type for each in statements] != [duckdb.StatementType.SELECT]:
                raise UsageError("the query must be a single SELECT: nothing can be written here")
            for name, path in files.items():
                shown = f"select * from read_parquet({text(str(path))})"  # noqa: S608
                connection.execute(f'create view "{name}" as {shown}')
            if telemetry is not None and "telemetry" in sql.lower():
                found = files_of(telemetry.root, telemetry.date).files
                shown, _ = query(connection, telemetry.pipeline, telemetry.root, found)
                connection.execute(f"create view telemetry as {shown}")
            cursor = connection.execute(sql, dict(values or {}))
            names = [column[0] for column in cursor.description or ()]
            rows: Sequence[tuple[object, ...]] = cursor.fetchall()
        except duckdb.Error as error:
            raise UsageError(f"the query failed: {printable(reason(error))}") from error
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    # dtype=object: with a missing value pandas would turn integers into floats.
    frame = (
        pd.concat([pd.Series(values, dtype=object) for values in columns], axis=1)
        if columns
        else pd.DataFrame()
    )
    frame.columns = pd.Index(names)
    return frame
