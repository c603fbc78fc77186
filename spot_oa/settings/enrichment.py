"""Settings of enrichment: sources, services, and time limits."""

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
    """Domains whose names are never sent to a service."""


class GeoSettings(Stage):
    """Geo databases."""

    geo_db: PathList = ()
    """`.mmdb` files, separated by commas: City, ASN, ISP, Domain, or flat ones. Each field comes
    from `iploc.csv` if present there, else from the first file that has it."""
    dbip_url: str = "https://download.db-ip.com/free"
    """Base URL of DB-IP's databases for `spot-oa geo fetch`."""
    maxmind_url: str = "https://download.maxmind.com/geoip/databases"
    """Base URL of MaxMind's databases for `spot-oa geo fetch`."""
    maxmind_account_id: str = ""
    """Your MaxMind account ID."""
    maxmind_license_key: SecretStr | None = None
    """Your licence key for that account."""
    maxmind_editions: WordList = ("GeoLite2-City", "GeoLite2-ASN")
    """MaxMind databases to fetch."""


class ReputationSettings(Stage):
    """Reputation services."""

    services: dict[str, dict[str, Any]] = Field(default={})
    """Services in use and their options: `SPOT_OA_SERVICES__<NAME>__<OPTION>`, or
    `SPOT_OA_SERVICES__<NAME>=on` for a service without options."""
    service_seconds: float = Field(default=120, gt=0)
    """Time limit of a service in a run, in seconds; the run reports lookups that it skips then."""
    service_threads: int = Field(default=4, ge=1, le=16)
    """Maximum number of parallel requests to a service."""
    ttl_suspicious: float = Field(default=24, ge=0)
    """Hours for which a verdict of severity 2 or 3 is cached."""
    ttl_harmless: float = Field(default=72, ge=0)
    """Hours for which any other verdict is cached."""
    ttl_not_found: float = Field(default=24, ge=0)
    """Hours for which the answer that a service does not know an indicator is cached."""

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
    """Maximum number of attempts of a request that fails with 429, 5xx or no answer."""
    retry_after_max: float = Field(default=30, ge=0)
    """Maximum Retry-After, in seconds, that a request waits."""
    proxy: SecretStr | None = None
    """URL of the proxy."""
    ca_bundle: FilePath | None = None
    """Trusted certificates, instead of those of requests."""


class NameSettings(Stage):
    """Names of addresses by reverse DNS."""

    dns_resolver: str = ""
    """Address (`a`, `a:port`, `[a]:port`) of the resolver for names of internal addresses; none is
    used if empty."""
    dns_public: bool = False
    """Also look up names of addresses that are not internal; their owners can see this."""
    dns_budget: int = Field(default=500, ge=0)
    """Maximum number of addresses to look up in a run."""
    dns_seconds: float = Field(default=30, gt=0)
    """Time limit of reverse DNS in a run, in seconds."""
