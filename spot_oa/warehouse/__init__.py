"""The warehouse: the only room that opens connections to an engine.

`open_warehouse` hands out the engine that the settings name; everybody else speaks `Warehouse`.
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
    """Collects the new rows of a slice; they replace the old ones when the block ends well."""

    def append(self, table: Table, rows: pa.Table) -> None:
        """Add rows by column name, without the slice columns; missing columns are NULL."""
        ...

    def fill(self, table: Table, **values: object) -> None:
        """Set columns of all rows of the slice, those appended already and those to come."""
        ...


class Hour(NamedTuple):
    """A partition of telemetry, in UTC."""

    y: int
    m: int
    d: int
    h: int


@dataclass(frozen=True, slots=True)
class Exposed:
    """What was made of the telemetry of some dates."""

    without: Sequence[dt.date]
    """The dates for which there is none."""
    warnings: Sequence[str] = ()
    """What is left out, is missing or does not fit, a line each."""


class Warehouse(Protocol):
    """What the steps need of an engine. Each call opens and closes its own connection."""

    def exists(self) -> bool:
        """Whether an earlier run has made it.

        Raises:
            WarehouseError: It cannot be reached, or there is none and none can be made.
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
            ConfigError: There is no place for it, or it lacks a column that the pipeline needs.
            WarehouseError: It cannot be read.
        """
        ...

    def add_hours(self, pipeline: Pipeline, hours: Sequence[Hour]) -> None:
        """Have the engine see the files of these hours, which others have written.

        Raises:
            WarehouseError: It refuses.
        """
        ...

    def newest_telemetry(self, pipeline: Pipeline) -> dt.date | None:
        """The newest day of which there is telemetry; None if there is none.

        Raises:
            SpotOaError: There is no place for it, or it cannot be read.
        """
        ...

    def telemetry_columns(self, pipeline: Pipeline, date: dt.date) -> Sequence[str]:
        """The described columns that the newest file of a day with telemetry has.

        Raises:
            SpotOaError: It cannot be read.
        """
        ...

    def telemetry_state(self, pipeline: Pipeline, date: dt.date) -> object:
        """Something that JSON can hold and that changes when the day's telemetry does.

        None if that is not known: then the day counts as changed.
        """
        ...

    def replacing(self, part: Slice, *tables: Table) -> AbstractContextManager[SliceWriter]:
        """Replace the slice in all these tables.

        On DuckDB at once or not at all. An engine without transactions replaces table by table,
        each at once; dying between two of them leaves an old slice beside a new one, which the
        rerun replaces.

        Raises:
            WarehouseError: It could not be written.
        """
        ...

    def add(self, table: Table, rows: pa.Table) -> None:
        """Add rows for good: all or none of them, beside whatever is there.

        Args:
            table: One that no run clears.
            rows: Its columns by name, those of the slice too; missing columns are NULL.

        Raises:
            WarehouseError: They could not be written.
        """
        ...

    def latest(
        self, table: Table, by: str, count: int, pipeline: str | None = None
    ) -> list[dict[str, Any]]:
        """The rows with the highest values of a column, highest first.

        Args:
            table: Any that Python writes.
            by: The column.
            count: Maximum number of rows.
            pipeline: Only rows of this one, if given.

        Raises:
            WarehouseError: They could not be read.
        """
        ...

    def distinct(self, table: Table, column: str, part: Slice) -> list[str]:
        """The distinct values of a text column in the slice, by rank, without NULL."""
        ...

    def rows(self, table: Table, columns: Sequence[str], part: Slice) -> list[tuple[Any, ...]]:
        """Some columns of the rows of a slice, by rank."""
        ...

    def dates(self, table: Table) -> list[dt.date]:
        """The dates of which a table has rows, in order; none if the table is missing."""
        ...

    def related(self, pipeline: Pipeline, related: Related, part: Slice) -> list[str]:
        """The distinct values of `Related` in the slice, in alphabetical order, without NULL."""
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
    """The warehouse of the configured target; nothing is opened before it is used."""
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
        f"SPOT_OA_TARGET={settings.target}: there is no such engine; take duckdb, impala or spark"
    )


def connections_of_dbt(settings: Settings) -> AbstractContextManager[Sequence[SpotOaError]]:
    """Have dbt, in this process, log in as we do while the block runs.

    dbt-impala and dbt-spark check no certificates, and take TLS and HTTP with some ways to log in
    only.

    Yields:
        The errors that dbt's connections have raised so far: dbt itself keeps only their text.
    """
    if settings.target == "impala":
        from spot_oa.warehouse.hiveserver2.impala import connections_of_dbt  # noqa: PLC0415

        return connections_of_dbt(settings)
    if settings.target == "spark":
        try:
            from spot_oa.warehouse.hiveserver2 import dbt_spark  # noqa: PLC0415
        except ImportError as error:
            raise ConfigError(
                f"SPOT_OA_TARGET=spark: {error.name} is missing; pip install 'spot-oa[spark]', or "
                "`make setup-spark` in a checkout"
            ) from error
        return dbt_spark.connections_of_dbt(settings)
    return nullcontext(())
