"""Configuration: a class per stage, joined in `Settings`.

What needs the settings of one stage only takes that stage's class.
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
    """The top of a checkout, or what a wheel carries of it."""
    package = Path(__file__).resolve().parent.parent
    carried = package / "project"
    return carried if carried.is_dir() else package.parent


class RunSettings(Stage):
    """A run: what it reads, takes and publishes."""

    home: Path = Path("spot-oa-home")
    """Everything below, unless set apart; `$HOME` in this page."""
    ml_uri: str = ""
    """ML results, any fsspec URL: a path, `webhdfs://`, `hdfs://`, `s3://` ... (`$HOME/ml`)."""
    limit: int = Field(default=500, ge=0)
    """How many results a run takes."""
    data_dir: Path = Path()
    """The published files (`$HOME/data`)."""
    reports: bool = True
    """Whether a run writes the report of its day, `<data>/reports/<YYYYMMDD>.html`."""
    retry_delays: NumberList = (10, 60, 300)
    """Seconds before each retry of a step that failed for a passing reason (Prefect only)."""
    pipelines_dir: Path | None = None
    """A folder of pipeline descriptions that replace or join the built-in ones of the same
    name."""
    project_dir: Path = Field(default_factory=_project_dir)
    """The folder that holds dbt_project.yml: the checkout, or what the wheel carries, if unset."""

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
    """All stages: read once at the edge and handed in. Paths left unset lie below `home`."""

    _misspelt: tuple[str, ...] = PrivateAttr(default=())

    def model_post_init(self, context: Any) -> None:
        """Look for variables that are not settings, when the others are read."""
        super().model_post_init(context)
        self._misspelt = tuple(misspelt(type(self)))

    @property
    def misspelt(self) -> Sequence[str]:
        """Variables that look like settings and are none, a line each."""
        return self._misspelt

    @property
    def lock(self) -> Path:
        """What the lock of a run stands beside; it is this machine's."""
        return self.warehouse if self.target == "duckdb" else self.home / self.target


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


def home_is_set() -> bool:
    """Whether somebody said where home is, in the environment or in `.env`."""
    return "spot_oa_home" in variables(Settings)


def handed_on(settings: Settings) -> dict[str, str]:
    """The environment in which a program in another folder reads these settings.

    It is this process's, with the variables of `.env`, and every path absolute.
    """
    plain: dict[str, str] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Path):
            plain[f"SPOT_OA_{name.upper()}"] = str(value.absolute())
        elif isinstance(value, (bool, int, float, str)) and str(value):
            plain[f"SPOT_OA_{name.upper()}"] = str(value)
    return handed_on_with(Settings, plain)
