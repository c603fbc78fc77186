"""The one place that reads the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from spot_oa.errors import ConfigError, printable

SCHEMAS = (
    "raw",
    "lookups",
    "reference",
    "oa_staging",
    "oa_intermediate",
    "oa",
    "oa_compat",
    "main",
)
"""Schema names in the warehouse: its file's stem must be none of them."""

SECRET = ("services", "proxy", "maxmind_license_key", "impala_password")
"""Settings whose values are never shown."""


def _split_numbers(value: Any) -> Any:
    return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _split_words(value: Any) -> Any:
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return value


def _split_paths(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.replace(os.pathsep, ",").split(",") if part.strip()]
    return value


NumberList = Annotated[tuple[float, ...], NoDecode, BeforeValidator(_split_numbers)]
PathList = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split_paths)]
WordList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_words)]
SqlName = Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]*)?$")]
"""A name that may stand in SQL as it is, or none."""


class _AsWritten(EnvSettingsSource):
    """Leaves the values of options as they are: a key like `12e45` is no number."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        return super().decode_complex_value(field_name, field, value) if field else value

    def explode_env_vars(
        self, field_name: str, field: FieldInfo, env_vars: Mapping[str, str | None]
    ) -> dict[str, Any]:
        """Nest the variables of a field; `on` gives way to options, options give way to `off`."""
        if field_name != "services":
            return super().explode_env_vars(field_name, field, env_vars)
        prefix = f"{self.env_prefix}{field_name}".lower()
        whole = {
            name: value for name, value in env_vars.items() if name.rpartition("__")[0] == prefix
        }
        on = [name for name, value in whole.items() if _is(value, "on")]
        off = tuple(f"{name}__" for name, value in whole.items() if _is(value, "off"))
        given = {
            name: value
            for name, value in env_vars.items()
            if name not in on and not name.startswith(off)
        }
        exploded = super().explode_env_vars(field_name, field, given)
        return {name.rpartition("__")[2]: {} for name in on} | exploded


def _is(value: str | None, word: str) -> bool:
    return value is not None and value.strip().lower() == word


class _AsWrittenInFile(_AsWritten, DotEnvSettingsSource):
    """The same for the `.env` file."""


def _secret(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name).lower(): _secret(option) for name, option in value.items()}
    if isinstance(value, SecretStr):
        return value
    return SecretStr(value if isinstance(value, str) else json.dumps(value))


def _project_dir() -> Path:
    """The top of a checkout, or what a wheel carries of it."""
    package = Path(__file__).resolve().parent
    carried = package / "project"
    return carried if carried.is_dir() else package.parent


class Settings(BaseSettings):
    """Configuration, read once at the edge and handed in.

    Every field is the environment variable `SPOT_OA_<FIELD>`, also read from a `.env` file in the
    working directory. Paths left unset lie below `home`.
    """

    model_config = SettingsConfigDict(
        env_prefix="SPOT_OA_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    home: Path = Path("spot-oa-home")
    target: Literal["duckdb", "impala"] = "duckdb"
    raw_uri: str = ""
    ml_uri: str = ""
    context_dir: Path = Path()
    geo_db: PathList = ()
    data_dir: Path = Path()
    warehouse: Path = Path()
    schema_prefix: SqlName = ""
    """Put before the name of every database that the project makes, as in `spot_oa_` (not on
    duckdb)."""
    telemetry_schema: SqlName = ""
    """The database of the telemetry tables; the project's own `raw` if empty (not on duckdb)."""
    telemetry_tables: dict[SqlName, SqlName] = {}
    """Pipeline -> its telemetry table, where it bears another name (not on duckdb).

    `SPOT_OA_TELEMETRY_TABLES__<PIPELINE>`.
    """
    telemetry_refresh: bool = True
    """Tell Impala, before a day is run, that others may have written to the telemetry table."""
    impala_host: str = "localhost"
    impala_port: int = Field(default=21050, ge=1, le=65535)
    impala_auth: Literal["nosasl", "plain", "ldap", "gssapi"] = "nosasl"
    """How to log in; `gssapi` is Kerberos and needs the package `kerberos` and a ticket."""
    impala_user: str = ""
    impala_password: SecretStr | None = None
    impala_kerberos_service: str = "impala"
    """First part of the daemon's Kerberos principal."""
    impala_tls: bool = False
    impala_ca: FilePath | None = None
    """Certificates to trust, PEM; those that the system trusts if unset. TLS is never unchecked."""
    impala_http: bool = False
    """Speak over HTTP, as through Knox or another proxy."""
    impala_http_path: str = "cliservice"
    impala_timeout: float = Field(default=600, gt=0)
    """Seconds to wait for the daemon's next bytes (not over HTTP)."""
    impala_options: dict[str, str] = {}
    """Query options of every session, dbt's too: `SPOT_OA_IMPALA_OPTIONS__<OPTION>`.

    `SYNC_DDL=true` where connections may end at different coordinators (a load balancer),
    `REQUEST_POOL` for admission control.
    """
    impala_staging_uri: str = ""
    """A folder, as an fsspec URL, for rows on their way into tables; they go in SQL text if empty.
    """
    impala_staging_location: str = ""
    """The same folder as Impala names it, if it does so otherwise than is plain from the URL."""
    limit: int = Field(default=500, ge=0)
    lock_timeout: float = Field(default=3600, ge=0)
    """Seconds to wait for another run to let go of the warehouse."""
    memory_limit: str = Field(default="80%", pattern=r"^[0-9]+(\.[0-9]+)?\s*(%|[KMGT]i?B)$")
    """The most memory the embedded engine takes before it spills to disk; a share or a size."""
    threads: int = Field(default=2, ge=1)
    """How many models dbt builds at a time."""
    retry_delays: NumberList = (10, 60, 300)
    """Seconds before each retry of a step that failed for a passing reason (Prefect only)."""
    pipelines_dir: Path | None = None
    """Pipeline descriptions that replace or join the built-in ones of the same file name."""
    services: dict[str, dict[str, Any]] = {}
    """Reputation services in use: name -> option -> value, texts and secrets as SecretStr.

    `SPOT_OA_SERVICES__<NAME>__<OPTION>` sets an option, `SPOT_OA_SERVICES__<NAME>=on` none.
    """
    internal_domains: WordList = ()
    """Names under these domains are never sent to a service."""
    service_seconds: float = Field(default=120, gt=0)
    """How long one service may take in a run; what is not asked by then stays so."""
    service_threads: int = Field(default=4, ge=1, le=16)
    """How many questions a service is asked at a time."""
    ttl_suspicious: float = Field(default=24, ge=0)
    """Hours for which a verdict of severity 2 or 3 is not asked for again."""
    ttl_harmless: float = Field(default=72, ge=0)
    """Hours for which any other verdict is not asked for again."""
    ttl_not_found: float = Field(default=24, ge=0)
    """Hours for which what a service does not know is not asked for again."""
    http_timeout: float = Field(default=20, gt=0)
    """Seconds to wait for a server's next bytes."""
    http_attempts: int = Field(default=3, ge=1)
    """How often a request is made that fails with 429, 5xx or no answer."""
    retry_after_max: float = Field(default=30, ge=0)
    """The longest Retry-After, in seconds, that is waited for."""
    proxy: SecretStr | None = None
    """URL of the proxy for all requests to services and downloads."""
    ca_bundle: FilePath | None = None
    """Certificates to trust instead of the ones that come with requests."""
    dns_resolver: str = ""
    """Address (`a`, `a:port`, `[a]:port`) of the resolver asked for names of addresses; none if
    empty."""
    dns_public: bool = False
    """Also ask for names of addresses that are not internal: their owners can see it."""
    dns_budget: int = Field(default=500, ge=0)
    """How many addresses the resolver is asked for in a run."""
    dns_seconds: float = Field(default=30, gt=0)
    """How long the resolver may take in a run."""
    dbip_url: str = "https://download.db-ip.com/free"
    maxmind_url: str = "https://download.maxmind.com/geoip/databases"
    maxmind_account_id: str = ""
    maxmind_license_key: SecretStr | None = None
    maxmind_editions: WordList = ("GeoLite2-City", "GeoLite2-ASN")
    project_dir: Path = Field(default_factory=_project_dir)
    """The dbt project: the folder that holds dbt_project.yml."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where values come from, the first that has one wins."""
        return (
            init_settings,
            _AsWritten(settings_cls),
            _AsWrittenInFile(settings_cls),
            file_secret_settings,
        )

    @field_validator("services", mode="before")
    @classmethod
    def _options(cls, services: Any) -> Any:
        if not isinstance(services, dict):
            raise ValueError("a service is set by SPOT_OA_SERVICES__<NAME>__<OPTION>")
        options: dict[str, Any] = {}
        for name, given in services.items():
            if isinstance(given, str) and _is(given, "off"):
                continue
            if isinstance(given, dict):
                options[str(name).lower()] = _secret(given)
            else:
                raise ValueError(
                    f"SPOT_OA_SERVICES__{printable(name).upper()}: write on or off, or set its "
                    "options as SPOT_OA_SERVICES__<NAME>__<OPTION>"
                )
        return options

    @model_validator(mode="before")
    @classmethod
    def _below_home(cls, values: dict[str, Any]) -> dict[str, Any]:
        home = Path(values.get("home", "spot-oa-home")).expanduser().absolute()
        defaults = {
            "raw_uri": str(home / "raw"),
            "ml_uri": str(home / "ml"),
            "context_dir": home / "context",
            "data_dir": home / "data",
            "warehouse": home / "warehouse.duckdb",
        }
        return defaults | values | {"home": home}

    @model_validator(mode="after")
    def _warehouse_is_no_schema(self) -> Self:
        if self.warehouse.stem.lower() in SCHEMAS:
            raise ValueError(
                f"SPOT_OA_WAREHOUSE={self.warehouse}: the file may not be named like a schema "
                f"({', '.join(SCHEMAS)}), because DuckDB could not tell them apart"
            )
        return self

    @model_validator(mode="after")
    def _names_are_its_own(self) -> Self:
        for name in ("schema_prefix", "telemetry_schema", "telemetry_tables"):
            if self.target == "duckdb" and getattr(self, name):
                raise ValueError(
                    f"SPOT_OA_{name.upper()}: on duckdb schemas and tables have fixed names; "
                    "unset it, or set SPOT_OA_TARGET"
                )
        return self

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

    def database(self, schema: str) -> str:
        """What a schema of the project is called on the target."""
        return f"{self.schema_prefix}{schema}"

    def telemetry_table(self, pipeline: str) -> str:
        """The table with a pipeline's raw events, with its database."""
        database = self.telemetry_schema or self.database("raw")
        return f"{database}.{self.telemetry_tables.get(pipeline, pipeline)}"

    @property
    def lock(self) -> Path:
        """What the lock of a run stands beside; it is this machine's."""
        return self.warehouse if self.target == "duckdb" else self.home / self.target

    @property
    def cache_dir(self) -> Path:
        """Where answers, feeds and budgets are kept between runs."""
        return self.home / "cache"

    @property
    def spill_dir(self) -> Path:
        """Where the embedded engine puts what exceeds its memory limit, for as long as it runs."""
        return self.home / "spill"

    @property
    def target_dir(self) -> Path:
        """Where dbt keeps what it compiles and remembers."""
        return self.home / "dbt"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment and `.env`.

    Args:
        overrides: Field values that win over the environment.

    Returns:
        The frozen settings.

    Raises:
        ConfigError: A value is not usable. The message names the variable.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:
            raise ConfigError(printable(first["ctx"]["error"])) from error
        field = str(first["loc"][0])
        shown = "" if field in SECRET else f"={printable(first['input'])}"
        raise ConfigError(
            f"SPOT_OA_{field.upper()}{shown}: {first['msg']}; correct it or unset it"
        ) from None if field in SECRET else error
    except SettingsError as error:
        raise ConfigError(
            f"{printable(error).partition(' from source')[0]}: correct SPOT_OA_... or unset it"
        ) from None
