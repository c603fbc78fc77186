"""Where the tables are: the embedded engine, or a cluster."""

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
"""Schema names in the warehouse: its file's stem must be none of them."""


class WarehouseSettings(Stage):
    """The warehouse."""

    target: Literal["duckdb", "impala", "spark"] = "duckdb"
    """The engine, a target of profiles.yml."""
    warehouse: Path = Path()
    """The file of the embedded engine (`$HOME/warehouse.duckdb`)."""
    memory_limit: str = Field(default="80%", pattern=r"^[0-9]+(\.[0-9]+)?\s*(%|[KMGT]i?B)$")
    """The most memory that the embedded engine takes, a share or a size (`4GB`); it spills the rest
    to `$HOME/spill`."""
    threads: int = Field(default=2, ge=1)
    """How many models dbt builds at a time."""
    lock_timeout: float = Field(default=3600, ge=0)
    """Seconds to wait for another run to release the warehouse."""
    schema_prefix: SqlName = ""
    """Put before the name of every database that the project makes, as in `spot_oa_` (not on
    duckdb)."""

    @model_validator(mode="after")
    def _warehouse_is_no_schema(self) -> Self:
        if self.warehouse.stem.lower() in SCHEMAS:
            raise ValueError(
                f"SPOT_OA_WAREHOUSE={self.warehouse}: the file may not be named like a schema "
                f"({', '.join(SCHEMAS)}), because DuckDB could not tell them apart"
            )
        return self

    def database(self, schema: str) -> str:
        """What a schema of the project is called on the target."""
        return f"{self.schema_prefix}{schema}"


class TelemetrySettings(WarehouseSettings):
    """Telemetry."""

    raw_uri: str = ""
    """Telemetry as Parquet, `<uri>/<pipeline>/y=/m=/d=/h=/`, on duckdb and spark (`$HOME/raw`): a
    local folder, on spark any fsspec URL that the cluster reads too."""
    telemetry_schema: SqlName = ""
    """The database of the telemetry tables; the project's own `raw` if empty (not on duckdb)."""
    telemetry_tables: dict[SqlName, SqlName] = Field(default={})
    """Pipeline -> its telemetry table, where it has another name:
    `SPOT_OA_TELEMETRY_TABLES__<PIPELINE>` (not on duckdb)."""
    telemetry_refresh: bool = True
    """Refresh the telemetry table before a day is run, because others may have written to it (not
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
        """The table with a pipeline's raw events, with its database."""
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
    """Certificates to trust, PEM; those that the system trusts if unset."""
    impala_http: bool = False
    """Use HTTP as transport, as through Knox or another proxy."""
    impala_http_path: str = "cliservice"
    """The path, over HTTP."""
    impala_timeout: float = Field(default=600, gt=0)
    """Seconds to wait for the daemon's next bytes (not over HTTP)."""
    impala_options: dict[str, str] = Field(default={})
    """Query options of every session, dbt's too: `SPOT_OA_IMPALA_OPTIONS__<OPTION>`, as
    `SYNC_DDL=true` behind a load balancer, `REQUEST_POOL` for admission control."""
    impala_staging_uri: str = ""
    """A folder, as an fsspec URL, for rows on their way into tables; they go in SQL text if
    empty."""
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
    """How to log in: `plain` where the server asks nobody (NONE) or by a class of its own (CUSTOM);
    `gssapi` is Kerberos and needs the package `kerberos` and a ticket."""
    spark_user: str = ""
    """The user; that of the operating system if empty."""
    spark_password: SecretStr | None = None
    """The user's password."""
    spark_kerberos_service: str = "spark"
    """First part of the thrift server's Kerberos principal."""
    spark_tls: bool = False
    """Use TLS; the certificate is always checked."""
    spark_ca: FilePath | None = None
    """Certificates to trust, PEM; those that the system trusts if unset."""
    spark_http: bool = False
    """Use HTTP as transport, as through Knox or another proxy."""
    spark_http_path: str = "cliservice"
    """The path, over HTTP."""
    spark_timeout: float = Field(default=600, gt=0)
    """Seconds to wait for the thrift server's next bytes (not over HTTP)."""
    spark_options: dict[str, str] = Field(default={})
    """Spark properties of every session, dbt's too, as JSON:
    `{"spark.sql.shuffle.partitions": "400"}`."""
    spark_staging_uri: str = ""
    """A folder, as an fsspec URL, for rows on their way into tables; they go in SQL text if
    empty."""
    spark_staging_location: str = ""
    """The same folder as Spark names it, if that does not follow from the URL."""

    @model_validator(mode="after")
    def _spark_can_log_in(self) -> Self:
        if self.spark_auth == "ldap" and not (self.spark_user and self.spark_password):
            raise ValueError(
                "SPOT_OA_SPARK_AUTH=ldap: set SPOT_OA_SPARK_USER and SPOT_OA_SPARK_PASSWORD"
            )
        return self
