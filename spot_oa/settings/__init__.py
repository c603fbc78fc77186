"""Configuration: a class per stage, joined in `Settings`.

Code that needs the settings of one stage only takes the class of that stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, ValidationError, model_validator
from pydantic_settings import SettingsError

from spot_oa.errors import ConfigError, printable
from spot_oa.settings.analysts import AnalystSettings
from spot_oa.settings.engines import (
    ImpalaSettings,
    SparkSettings,
    TelemetrySettings,
    WarehouseSettings,
)
from spot_oa.settings.enrichment import (
    ContextSettings,
    GeoSettings,
    HttpSettings,
    NameSettings,
    ReputationSettings,
)
from spot_oa.settings.ingest import IngestInput, IngestSettings
from spot_oa.settings.names import misspelt
from spot_oa.settings.scoring import ScorerSettings
from spot_oa.settings.sources import NumberList, Stage, handed_on_with, variables

__all__ = [
    "SECRET",
    "STAGES",
    "AnalystSettings",
    "ContextSettings",
    "GeoSettings",
    "HttpSettings",
    "ImpalaSettings",
    "IngestInput",
    "IngestSettings",
    "NameSettings",
    "ReputationSettings",
    "RunSettings",
    "ScorerSettings",
    "Settings",
    "SparkSettings",
    "TelemetrySettings",
    "WarehouseSettings",
    "handed_on",
    "home_is_set",
    "load_settings",
]

SECRET = ("services", "proxy", "maxmind_license_key", "impala_password", "spark_password")
"""Settings whose values are never shown."""


def _project_dir() -> Path:
    """Return the dbt project: the root of a checkout, or the copy in a wheel."""
    package = Path(__file__).resolve().parent.parent
    bundled = package / "project"
    return bundled if bundled.is_dir() else package.parent


class RunSettings(Stage):
    """A run: its input, limits and output."""

    home: Path = Path("spot-oa-home")
    """The folder of all files without their own setting; `$HOME` in this page."""
    ml_uri: str = ""
    """ML results, any fsspec URL: a path, `webhdfs://`, `hdfs://`, `s3://` ... (`$HOME/ml`)."""
    limit: int = Field(default=500, ge=0)
    """Maximum number of results that a run lands."""
    data_dir: Path = Path()
    """The folder of the published files (`$HOME/data`)."""
    reports: bool = True
    """Whether a run writes the report of its day, `<data>/reports/<YYYYMMDD>.html`."""
    retry_delays: NumberList = (10, 60, 300)
    """Seconds before each retry of a step that failed with a transient error (Prefect only)."""
    pipelines_dir: Path | None = None
    """A folder of pipeline descriptions, in addition to the built-in ones; one of the same name
    replaces the built-in one."""
    project_dir: Path = Field(default_factory=_project_dir)
    """The folder of dbt_project.yml; the checkout, or the copy in the wheel, if unset."""

    @model_validator(mode="before")
    @classmethod
    def _below_home(cls, values: dict[str, Any]) -> dict[str, Any]:
        home = Path(values.get("home", "spot-oa-home")).expanduser().absolute()
        defaults = {
            "raw_uri": str(home / "raw"),
            "ml_uri": str(home / "ml"),
            "context_dir": home / "context",
            "data_dir": home / "data",
            "triage_dir": home / "triage",
            "notebooks_dir": home / "ipynb",
            "analyst_db": home / "analyst.sqlite",
            "warehouse": home / "warehouse.duckdb",
            "rules_dir": Path(values.get("context_dir", home / "context")) / "rules",
        }
        return defaults | values | {"home": home}

    @property
    def cache_dir(self) -> Path:
        """Return the folder of answers, feeds and budgets, which are stored between runs."""
        return self.home / "cache"

    @property
    def spill_dir(self) -> Path:
        """Return the folder to which DuckDB spills data beyond its memory limit."""
        return self.home / "spill"

    @property
    def target_dir(self) -> Path:
        """Return dbt's target folder, for compiled SQL and artifacts."""
        return self.home / "dbt"


STAGES: tuple[type[Stage], ...] = (
    RunSettings,
    ScorerSettings,
    WarehouseSettings,
    TelemetrySettings,
    IngestSettings,
    ImpalaSettings,
    SparkSettings,
    ContextSettings,
    GeoSettings,
    ReputationSettings,
    HttpSettings,
    NameSettings,
    AnalystSettings,
)
"""The stages in the order of docs/settings.md."""


class Settings(
    RunSettings,
    ScorerSettings,
    TelemetrySettings,
    IngestSettings,
    ImpalaSettings,
    SparkSettings,
    ContextSettings,
    GeoSettings,
    ReputationSettings,
    HttpSettings,
    NameSettings,
    AnalystSettings,
):
    """All stages, read once at program start and passed on. Unset paths are below `home`."""

    _misspelt: tuple[str, ...] = PrivateAttr(default=())

    def model_post_init(self, context: Any) -> None:
        """Also find variables that are not settings."""
        super().model_post_init(context)
        self._misspelt = tuple(misspelt(type(self)))

    @property
    def misspelt(self) -> Sequence[str]:
        """Return a warning line for each variable that looks like a setting but is not one."""
        return self._misspelt

    @property
    def lock(self) -> Path:
        """Return the path to which the name of the run's lock file is appended; always local."""
        return self.warehouse if self.target == "duckdb" else self.home / self.target


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment and `.env`.

    Args:
        overrides: Field values that win over the environment.

    Returns:
        The frozen settings.

    Raises:
        ConfigError: A value is not usable; the message names the variable.
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


def home_is_set() -> bool:
    """Return whether SPOT_OA_HOME is set, in the environment or in `.env`."""
    return "spot_oa_home" in variables(Settings)


def handed_on(settings: Settings) -> dict[str, str]:
    """Return an environment in which a program in another folder reads these settings.

    It is this process's environment, plus the variables of `.env`, with absolute paths.
    """
    plain: dict[str, str] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Path):
            plain[f"SPOT_OA_{name.upper()}"] = str(value.absolute())
        elif isinstance(value, (bool, int, float, str)) and str(value):
            plain[f"SPOT_OA_{name.upper()}"] = str(value)
    return handed_on_with(Settings, plain)
