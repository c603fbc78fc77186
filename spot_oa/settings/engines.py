"""Settings of the warehouse: DuckDB, Impala or Spark, and telemetry."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, FilePath, SecretStr, model_validator

from spot_oa.settings.sources import SqlName, Stage

SCHEMAS = (
    "raw",
    "lookups",
    "reference",
    "oa_staging",
    "oa_intermediate",
    "oa_scoring",
    "oa",
    "oa_compat",
    "main",
)
"""Schema names in the warehouse; the file's stem must not be one of them."""


class WarehouseSettings(Stage):
    """The warehouse."""

    target: Literal["duckdb", "impala", "spark"] = "duckdb"
    """The engine, a target of profiles.yml."""
    warehouse: Path = Path()
    """DuckDB's database file (`$HOME/warehouse.duckdb`)."""
    memory_limit: str = Field(default="80%", pattern=r"^[0-9]+(\.[0-9]+)?\s*(%|[KMGT]i?B)$")
    """Maximum memory of DuckDB, a share or a size (`4GB`); data beyond it is spilled to
    `$HOME/spill`."""
    threads: int = Field(default=2, ge=1)
    """Number of models that dbt builds at a time."""
    lock_timeout: float = Field(default=3600, ge=0)
    """Seconds to wait for another run to release the warehouse."""
    schema_prefix: SqlName = ""
    """Prefix of all databases that the project creates, such as `spot_oa_` (not on duckdb)."""

    @model_validator(mode="after")
    def _warehouse_is_no_schema(self) -> Self:
        if self.warehouse.stem.lower() in SCHEMAS:
            raise ValueError(
                f"SPOT_OA_WAREHOUSE={self.warehouse}: the file must not be named like a schema "
                f"({', '.join(SCHEMAS)}), because DuckDB confuses the two; use another name"
            )
        return self

    def database(self, schema: str) -> str:
        """Return the name of a schema of the project on the target."""
        return f"{self.schema_prefix}{schema}"


class TelemetrySettings(WarehouseSettings):
    """Telemetry."""

    raw_uri: str = ""
    """Folder of telemetry as Parquet, `<uri>/<pipeline>/y=/m=/d=/h=/`, on duckdb and spark
    (`$HOME/raw`): a local folder; on spark any fsspec URL that the cluster can read."""
    telemetry_schema: SqlName = ""
    """The database of the telemetry tables; the project's own `raw` if empty (not on duckdb)."""
    telemetry_tables: dict[SqlName, SqlName] = Field(default={})
    """Pipeline -> its telemetry table, if it has another name:
    `SPOT_OA_TELEMETRY_TABLES__<PIPELINE>` (not on duckdb)."""
    telemetry_refresh: bool = True
    """Refresh the telemetry table before a run, because another program may have written to it (not
    on duckdb)."""

    @model_validator(mode="after")
    def _names_are_its_own(self) -> Self:
        for name in ("schema_prefix", "telemetry_schema", "telemetry_tables"):
            if self.target == "duckdb" and getattr(self, name):
                raise ValueError(
                    f"SPOT_OA_{name.upper()}: on duckdb schemas and tables have fixed names; "
                    "unset it, or set SPOT_OA_TARGET"
                )
        return self

    def telemetry_table(self, pipeline: str) -> str:
        """Return the qualified name of the table of a pipeline's raw events."""
        database = self.telemetry_schema or self.database("raw")
        return f"{database}.{self.telemetry_tables.get(pipeline, pipeline)}"


class ImpalaSettings(Stage):
    """Impala."""

    impala_host: str = "localhost"
    """The daemon's host."""
    impala_port: int = Field(default=21050, ge=1, le=65535)
    """The daemon's HiveServer2 port."""
    impala_auth: Literal["nosasl", "plain", "ldap", "gssapi"] = "nosasl"
    """How to log in; `gssapi` is Kerberos and needs the package `kerberos` and a ticket."""
    impala_user: str = ""
    """The user, for `plain` and `ldap`."""
    impala_password: SecretStr | None = None
    """The user's password."""
    impala_kerberos_service: str = "impala"
    """First part of the daemon's Kerberos principal."""
    impala_tls: bool = False
    """Use TLS; the certificate is always checked."""
    impala_ca: FilePath | None = None
    """Trusted certificates, PEM; the system's if unset."""
    impala_http: bool = False
    """Use HTTP as transport, for example through Knox or another proxy."""
    impala_http_path: str = "cliservice"
    """The URL path, over HTTP."""
    impala_timeout: float = Field(default=600, gt=0)
    """Seconds to wait for the daemon's next bytes (not over HTTP)."""
    impala_options: dict[str, str] = Field(default={})
    """Query options of every session, also dbt's: `SPOT_OA_IMPALA_OPTIONS__<OPTION>`, for example
    `SYNC_DDL=true` behind a load balancer, or `REQUEST_POOL` for admission control."""
    impala_staging_uri: str = ""
    """A folder to stage rows in, an fsspec URL; if empty, rows are sent in SQL text."""
    impala_staging_location: str = ""
    """The same folder as Impala names it, if that does not follow from the URL."""

    @model_validator(mode="after")
    def _impala_can_log_in(self) -> Self:
        if self.impala_auth in ("plain", "ldap") and not (
            self.impala_user and self.impala_password
        ):
            raise ValueError(
                f"SPOT_OA_IMPALA_AUTH={self.impala_auth}: set SPOT_OA_IMPALA_USER and "
                "SPOT_OA_IMPALA_PASSWORD"
            )
        return self


class SparkSettings(Stage):
    """Spark."""

    spark_host: str = "localhost"
    """The thrift server's host."""
    spark_port: int = Field(default=10000, ge=1, le=65535)
    """The thrift server's port."""
    spark_auth: Literal["nosasl", "plain", "ldap", "gssapi"] = "plain"
    """How to log in: `plain` for a server with authentication NONE or CUSTOM; `gssapi` is Kerberos
    and needs the package `kerberos` and a ticket."""
    spark_user: str = ""
    """The user; the operating system's user if empty."""
    spark_password: SecretStr | None = None
    """The user's password."""
    spark_kerberos_service: str = "spark"
    """First part of the thrift server's Kerberos principal."""
    spark_tls: bool = False
    """Use TLS; the certificate is always checked."""
    spark_ca: FilePath | None = None
    """Trusted certificates, PEM; the system's if unset."""
    spark_http: bool = False
    """Use HTTP as transport, for example through Knox or another proxy."""
    spark_http_path: str = "cliservice"
    """The URL path, over HTTP."""
    spark_timeout: float = Field(default=600, gt=0)
    """Seconds to wait for the thrift server's next bytes (not over HTTP)."""
    spark_options: dict[str, str] = Field(default={})
    """Spark properties of every session, also dbt's, as JSON:
    `{"spark.sql.shuffle.partitions": "400"}`."""
    spark_staging_uri: str = ""
    """A folder to stage rows in, an fsspec URL; if empty, rows are sent in SQL text."""
    spark_staging_location: str = ""
    """The same folder as Spark names it, if that does not follow from the URL."""

    @model_validator(mode="after")
    def _spark_can_log_in(self) -> Self:
        if self.spark_auth == "ldap" and not (self.spark_user and self.spark_password):
            raise ValueError(
                "SPOT_OA_SPARK_AUTH=ldap: set SPOT_OA_SPARK_USER and SPOT_OA_SPARK_PASSWORD"
            )
        return self
