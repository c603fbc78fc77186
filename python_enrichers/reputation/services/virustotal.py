"""VirusTotal, API v3: the number of scanners that rate an address, domain or URL malicious."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr

from python_enrichers.reputation.base import (
    HIGH,
    LOW,
    MEDIUM,
    NONE,
    BaseUrl,
    LiveOptions,
    LiveService,
    Tools,
    Verdict,
    part,
)
from spot_oa.pipelines import IndicatorType

COLLECTIONS: Mapping[IndicatorType, str] = {
    "address": "ip_addresses",
    "name": "domains",
    "uri": "urls",
}


class Options(LiveOptions):
    """Free keys allow 4 calls per minute and 500 per day."""

    key: SecretStr
    url: BaseUrl = "https://www.virustotal.com/api/v3"
    daily: int = Field(default=500, ge=0)
    per_minute: int = Field(default=4, ge=1)
    high: int = 5
    medium: int = 2


def load(options: Options, tools: Tools) -> Sequence[LiveService]:
    """Return the service."""
    return [VirusTotal(options, tools)]


class VirusTotal:
    """Queries indicator by indicator."""

    kinds: AbstractSet[IndicatorType] = frozenset(COLLECTIONS)
    batch_size = 1

    def __init__(self, options: Options, tools: Tools) -> None:
        self.name = tools.name
        self.meter = tools.meter(options.limits)
        self._client = tools.client(self.meter, headers={"x-apikey": options.key})
        self._options = options

    def lookup(
        self, kind: IndicatorType, indicators: Sequence[str]
    ) -> Mapping[str, Verdict | None]:
        """See `LiveService`."""
        (indicator,) = indicators
        name = url_id(indicator) if kind == "uri" else quote(indicator, safe="")
        url = f"{self._options.url}/{COLLECTIONS[kind]}/{name}"
        answer = self._client.get_json(url, missing=(404,))
        return {indicator: None if answer is None else self._verdict(answer)}

    def _verdict(self, answer: Any) -> Verdict | None:
        counts = part(answer, "data", "attributes", "last_analysis_stats")
        if not counts or not (total := sum(counts.values())):
            return None  # Known, but not scanned yet.
        malicious, suspicious = counts["malicious"], counts["suspicious"]
        thresholds = (
            (malicious >= self._options.high, HIGH),
            (malicious >= self._options.medium, MEDIUM),
            (malicious + suspicious > 0, LOW),
        )
        severity = next((severity for reached, severity in thresholds if reached), NONE)
        return Verdict(severity, f"{malicious} of {total}", float(malicious))


def url_id(url: str) -> str:
    """Return the ID of a URL in the API: its base64, URL-safe and without padding."""
    return base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
