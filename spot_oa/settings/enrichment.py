"""What is looked up, where, and how long that may take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, FilePath, SecretStr, field_validator

from spot_oa.errors import printable
from spot_oa.settings.sources import PathList, Stage, WordList, is_word, secret


class ContextSettings(Stage):
    """Context files."""

    context_dir: Path = Path()
    """The folder of `iploc.csv`, `ipranges.csv`, `networkcontext.csv` and `reputation/*.csv`, all
    optional (`$HOME/context`)."""
    internal_domains: WordList = ()
    """Names under these domains are never sent to a service."""


class GeoSettings(Stage):
    """Geo databases."""

    geo_db: PathList = ()
    """`.mmdb` files, separated by commas: City, ASN, ISP, Domain, or flat ones; for each field
    `iploc.csv` counts first, then the files in this order."""
    dbip_url: str = "https://download.db-ip.com/free"
    """Where `spot-oa geo fetch` finds DB-IP's databases."""
    maxmind_url: str = "https://download.maxmind.com/geoip/databases"
    """Where `spot-oa geo fetch` finds MaxMind's databases."""
    maxmind_account_id: str = ""
    """Your account at MaxMind."""
    maxmind_license_key: SecretStr | None = None
    """Your licence key of that account."""
    maxmind_editions: WordList = ("GeoLite2-City", "GeoLite2-ASN")
    """Which of MaxMind's databases to fetch."""


class ReputationSettings(Stage):
    """Reputation services."""

    services: dict[str, dict[str, Any]] = Field(default={})
    """Services in use and their options: `SPOT_OA_SERVICES__<NAME>__<OPTION>`, or
    `SPOT_OA_SERVICES__<NAME>=on` if a service needs none."""
    service_seconds: float = Field(default=120, gt=0)
    """How long one service may take in a run; what is not asked by then is reported so."""
    service_threads: int = Field(default=4, ge=1, le=16)
    """How many requests to one service run at a time."""
    ttl_suspicious: float = Field(default=24, ge=0)
    """Hours for which a verdict of severity 2 or 3 is not asked for again."""
    ttl_harmless: float = Field(default=72, ge=0)
    """Hours for which any other verdict is not asked for again."""
    ttl_not_found: float = Field(default=24, ge=0)
    """Hours for which an indicator that a service does not know is not asked for again."""

    @field_validator("services", mode="before")
    @classmethod
    def _options(cls, services: Any) -> Any:
        if not isinstance(services, dict):
            raise ValueError("a service is set by SPOT_OA_SERVICES__<NAME>__<OPTION>")
        options: dict[str, Any] = {}
        for name, given in services.items():
            if isinstance(given, str) and is_word(given, "off"):
                continue
            if isinstance(given, dict):
                options[str(name).lower()] = secret(given)
            else:
                raise ValueError(
                    f"SPOT_OA_SERVICES__{printable(name).upper()}: write on or off, or set its "
                    "options as SPOT_OA_SERVICES__<NAME>__<OPTION>"
                )
        return options


class HttpSettings(Stage):
    """Requests to services and downloads."""

    http_timeout: float = Field(default=20, gt=0)
    """Seconds to wait for a server's next bytes."""
    http_attempts: int = Field(default=3, ge=1)
    """How often a request is made that fails with 429, 5xx or no answer."""
    retry_after_max: float = Field(default=30, ge=0)
    """The longest Retry-After, in seconds, that is waited for."""
    proxy: SecretStr | None = None
    """URL of the proxy."""
    ca_bundle: FilePath | None = None
    """Certificates to trust instead of the ones that come with requests."""


class NameSettings(Stage):
    """Names of addresses by reverse DNS."""

    dns_resolver: str = ""
    """Address (`a`, `a:port`, `[a]:port`) of the resolver that names internal addresses; none is
    asked if empty."""
    dns_public: bool = False
    """Also ask for names of addresses that are not internal: their owners can see it."""
    dns_budget: int = Field(default=500, ge=0)
    """How many addresses the resolver is asked for in a run."""
    dns_seconds: float = Field(default=30, gt=0)
    """How long the resolver may take in a run."""
