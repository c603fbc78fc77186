"""Spark's dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spot_oa.settings import Settings
from spot_oa.warehouse.hiveserver2.dialect import Server

OPTIONS = {
    "spark.sql.session.timeZone": "UTC",
    # The same as dbt-spark: text that is not a number becomes NULL.
    "spark.sql.ansi.enabled": "false",
    # Hive's writer stages rows outside the table and moves them in when complete. Spark's own
    # writer clears the partition first, and two writers of one table delete each other's files.
    "spark.sql.hive.convertInsertingPartitionedTable": "false",
    "spark.sql.hive.convertInsertingUnpartitionedTable": "false",
    "hive.exec.dynamic.partition.mode": "nonstrict",
    # Read BINARY columns of Parquet as text, with or without the UTF8 annotation.
    "spark.sql.parquet.binaryAsString": "true",
}
"""Properties of every session."""


class Spark:
    """See `Dialect`."""

    views_hold_rows = True

    def __init__(self, settings: Settings) -> None:
        self.staging_uri = settings.spark_staging_uri
        self.staging_location = settings.spark_staging_location
        self.telemetry_uri = settings.ingest_uri or settings.raw_uri
        self.server = Server(
            "Spark",
            "SPOT_OA_SPARK_",
            settings.spark_host,
            settings.spark_port,
            settings.spark_auth,
            settings.spark_user,
            settings.spark_password,
            settings.spark_kerberos_service,
            tls=settings.spark_tls,
            ca=settings.spark_ca,
            http=settings.spark_http,
            http_path=settings.spark_http_path,
            timeout=settings.spark_timeout,
            options=_of_session(OPTIONS | settings.spark_options),
        )

    def refresh(self, table: str, partition: str = "") -> str:  # noqa: ARG002 - Spark has no such
        """See `Dialect.refresh`."""
        return f"refresh table {table}"

    def files(self, table: str, condition: str) -> str:
        """See `Dialect.files`; name, rows and length, from Spark's functions for the input file."""
        return (
            "select file, count(*), max(upto) from (select input_file_name() as file, "  # noqa: S608
            "input_file_block_start() + input_file_block_length() as upto "
            f"from {table} where {condition}) as blocks group by file"
        )

    def tables(self, rows: Sequence[Sequence[Any]]) -> set[str]:
        """See `Dialect.tables`; database, table, and whether it is temporary."""
        return {name for _, name, temporary in rows if not temporary}

    def columns(self, rows: Sequence[Sequence[Any]]) -> dict[str, str]:
        """See `Dialect.columns`; stops at the partition block, which repeats the keys."""
        found: dict[str, str] = {}
        for name, kind, *_ in rows:
            if not name or name.startswith("#"):
                break
            found[name] = kind
        return found


def _of_session(options: Mapping[str, str]) -> dict[str, str]:
    """Add the prefix to options without which the Thrift server ignores them."""
    return {f"set:hiveconf:{name}": value for name, value in options.items()}
