"""The one place that reads the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from spot_oa.errors import ConfigError, printable

SCHEMAS = ("raw", "lookups", "reference", "oa_staging", "oa_intermediate", "oa", "main")
"""Schema names in the warehouse: its file's stem must be none of them."""


def _split_numbers(value: Any) -> Any:
    return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _split_paths(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.replace(os.pathsep, ",").split(",") if part.strip()]
    return value


NumberList = Annotated[tuple[float, ...], NoDecode, BeforeValidator(_split_numbers)]
PathList = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split_paths)]


class Settings(BaseSettings):
    """Configuration, read once at the edge and handed in.

    Every field is the environment variable `SPOT_OA_<FIELD>`, also read from a `.env` file in the
    working directory. Paths left unset lie below `home`.
    """

    model_config = SettingsConfigDict(
        env_prefix="SPOT_OA_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    home: Path = Path("spot-oa-home")
    target: Literal["duckdb", "impala"] = "duckdb"
    raw_uri: str = ""
    ml_uri: str = ""
    context_dir: Path = Path()
    geo_db: PathList = ()
    data_dir: Path = Path()
    warehouse: Path = Path()
    limit: int = Field(default=500, ge=0)
    lock_timeout: float = Field(default=3600, ge=0)
    """Seconds to wait for another run to let go of the warehouse."""
    retry_delays: NumberList = (10, 60, 300)
    """Seconds before each retry of a step that failed for a passing reason (Prefect only)."""
    pipelines_dir: Path | None = None
    """Pipeline descriptions that replace or join the built-in ones of the same file name."""
    project_dir: Path = Path(__file__).resolve().parent.parent
    """The dbt project: the folder that holds dbt_project.yml."""

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
        name = "SPOT_OA_" + str(first["loc"][0]).upper()
        value = printable(first["input"])
        raise ConfigError(f"{name}={value}: {first['msg']}; correct it or unset it") from error
