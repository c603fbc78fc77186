"""The warehouse: the only package that opens connections to an engine.

`open_warehouse` returns the engine that the settings name; other packages use only `Warehouse`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, SpotOaError
from spot_oa.pipelines import Pipeline, Related
from spot_oa.settings import Settings
from spot_oa.warehouse.tables import Table


class SliceWriter(Protocol):
    """Collects the new rows of a slice; they replace the old ones when the block succeeds."""

    def append(self, table: Table, rows: pa.Table) -> None:
        """Add rows by column name, without the slice columns; missing columns are NULL."""
        ...

    def fill(self, table: Table, **values: object) -> None:
        """Set columns of all rows of the slice, appended before or after this call."""
        ...


class Hour(NamedTuple):
    """A partition of telemetry, in UTC."""

    y: int
    m: int
    d: int
    h: int


@dataclass(frozen=True, slots=True)
class Exposed:
    """Result of `Warehouse.expose_telemetry`."""

    without: Sequence[dt.date]
    """The dates without telemetry."""
    warnings: Sequence[str] = ()
    """Files left out, missing columns and values that do not fit, one line each."""


class Warehouse(Protocol):
    """Engine operations that the steps use. Each call opens and closes its own connection."""

    def exists(self) -> bool:
        """Return whether an earlier run has created the warehouse.

        Raises:
            WarehouseError: It cannot be reached, or it is missing and cannot be created.
        """
        ...

    def prepare(self, tables: Sequence[Table]) -> None:
        """Create the schemas and tables that are missing.

        Raises:
            WarehouseError: The warehouse cannot be opened, or a table has other columns.
        """
        ...

    def expose_telemetry(self, pipeline: Pipeline, dates: Sequence[dt.date]) -> Exposed:
        """Make `raw.<pipeline>` show the telemetry of these dates, in place.

        Raises:
            ConfigError: Its folder or table is missing, or lacks a column that the pipeline needs.
            WarehouseError: The telemetry cannot be read.
        """
        ...

    def add_hours(self, pipeline: Pipeline, hours: Sequence[Hour]) -> None:
        """Make the engine see files of these hours that another process has written.

        Raises:
            WarehouseError: The engine rejects the statement.
        """
        ...

    def newest_telemetry(self, pipeline: Pipeline) -> dt.date | None:
        """Return the newest day with telemetry, or None.

        Raises:
            SpotOaError: The folder or table of the telemetry is missing or cannot be read.
        """
        ...

    def telemetry_columns(self, pipeline: Pipeline, date: dt.date) -> Sequence[str]:
        """Return the described columns that the newest file of a day with telemetry has.

        Raises:
            SpotOaError: The telemetry cannot be read.
        """
        ...

    def telemetry_state(self, pipeline: Pipeline, date: dt.date) -> object:
        """Return a JSON-serialisable value that changes when the day's telemetry changes.

        None if the state is unknown: then the day counts as changed.
        """
        ...

    def replacing(self, part: Slice, *tables: Table) -> AbstractContextManager[SliceWriter]:
        """Replace the slice in all these tables.

        DuckDB replaces all tables in one transaction. An engine without transactions replaces each
        table atomically; a crash between two tables leaves some with the old slice until the rerun.

        Raises:
            WarehouseError: The rows could not be written.
        """
        ...

    def add(self, table: Table, rows: pa.Table) -> None:
        """Append rows to those of the table, all or none of them.

        Args:
            table: A table that no run clears.
            rows: Columns by name, including the slice columns; missing columns are NULL.

        Raises:
            WarehouseError: The rows could not be written.
        """
        ...

    def latest(
        self, table: Table, by: str, count: int, pipeline: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the rows with the highest values of a column, highest first.

        Args:
            table: Any table that Python writes.
            by: The column.
            count: Maximum number of rows.
            pipeline: Only rows of this pipeline, if given.

        Raises:
            WarehouseError: The rows could not be read.
        """
        ...

    def distinct(self, table: Table, column: str, part: Slice, by: str = "rank") -> list[str]:
        """Return the distinct non-NULL values of a text column of a slice, by their least `by`."""
        ...

    def rows(self, table: Table, columns: Sequence[str], part: Slice) -> list[tuple[Any, ...]]:
        """Return columns of the rows of a slice, ordered by rank."""
        ...

    def dates(self, table: Table) -> list[dt.date]:
        """Return the dates that a table has rows of, in order; none if the table is missing."""
        ...

    def related(self, pipeline: Pipeline, related: Related, part: Slice) -> list[str]:
        """Return the distinct non-NULL values of `Related` in the slice, in alphabetical order."""
        ...

    def export(
        self, table: str, part: Slice, order_by: Sequence[str], path: Path, meta: Mapping[str, str]
    ) -> int:
        """Write the day of a published table to a Parquet file, in a fixed order.

        Args:
            table: Its name in schema oa.
            part: The day.
            order_by: Leading sort columns; all others follow as tie-breakers.
            path: The file to write.
            meta: Key-value metadata of the file.

        Returns:
            The number of rows.
        """
        ...


def open_warehouse(settings: Settings) -> Warehouse:
    """Return the warehouse of the configured target; it connects on first use."""
    if settings.target == "duckdb":
        from spot_oa.warehouse.duckdb.warehouse import DuckDBWarehouse  # noqa: PLC0415 - one engine per run

        return DuckDBWarehouse(settings)
    if settings.target == "impala":
        from spot_oa.warehouse.hiveserver2.impala import Impala  # noqa: PLC0415
        from spot_oa.warehouse.hiveserver2.warehouse import HiveServer2Warehouse  # noqa: PLC0415

        return HiveServer2Warehouse(settings, Impala(settings))
    if settings.target == "spark":
        from spot_oa.warehouse.hiveserver2.spark import Spark  # noqa: PLC0415
        from spot_oa.warehouse.hiveserver2.warehouse import HiveServer2Warehouse  # noqa: PLC0415

        return HiveServer2Warehouse(settings, Spark(settings))
    raise ConfigError(
        f"SPOT_OA_TARGET={settings.target}: unknown engine; use duckdb, impala or spark"
    )


def without_spark(package: str | None) -> ConfigError:
    """Return the error that a package of the extra `spark` is not installed."""
    return ConfigError(
        f"SPOT_OA_TARGET=spark: {package} is missing; pip install 'spot-oa[spark]', or "
        "`make setup-spark` in a checkout"
    )


def connections_of_dbt(settings: Settings) -> AbstractContextManager[Sequence[SpotOaError]]:
    """While the block runs, make dbt's connections in this process through our own login code.

    dbt-impala and dbt-spark do not check certificates, and support TLS and HTTP only with some
    authentication methods.

    Yields:
        The errors that dbt's connections have raised so far: dbt itself preserves only their text.
    """
    if settings.target == "impala":
        from spot_oa.warehouse.hiveserver2.impala import connections_of_dbt  # noqa: PLC0415

        return connections_of_dbt(settings)
    if settings.target == "spark":
        try:
            from spot_oa.warehouse.hiveserver2 import dbt_spark  # noqa: PLC0415
        except ImportError as error:
            raise without_spark(error.name) from error
        return dbt_spark.connections_of_dbt(settings)
    return nullcontext(())
