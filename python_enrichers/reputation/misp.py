"""MISP: attributes of the operator's own instance, its warning lists respected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import Field, SecretStr

from python_enrichers.reputation.base import (
    HIGH,
    LOW,
    MEDIUM,
    UNVERIFIED,
    BaseUrl,
    LiveOptions,
    LiveService,
    Tools,
    Verdict,
)
from python_enrichers.reputation.matching import uri_key
from spot_oa.pipelines import IndicatorType

TYPES: Mapping[IndicatorType, Sequence[str]] = {
    "address": ("ip-src", "ip-dst", "ip-src|port", "ip-dst|port", "domain|ip"),
    "name": ("domain", "hostname", "hostname|port", "domain|ip"),
    "uri": ("url", "uri", "link"),
}
SEVERITIES = {"1": HIGH, "2": MEDIUM, "3": LOW, "4": UNVERIFIED}
"""By threat level of the event: high, medium, low, undefined."""
MAX_PAGES = 50


class Options(LiveOptions):
    """Address of the instance, and an automation key."""

    url: BaseUrl
    key: SecretStr
    daily: int = Field(default=10_000, ge=0)
    per_minute: int = Field(default=600, ge=1)
    batch_size: int = Field(default=100, ge=1)
    page_size: int = Field(default=1000, ge=1)
    to_ids: bool = True
    """Only attributes that are meant for detection."""


def load(options: Options, tools: Tools) -> Sequence[LiveService]:
    """Ask MISP."""
    return [Misp(options, tools)]


class Misp:
    """Asks in batches; of several attributes with a value the gravest event counts."""

    kinds: AbstractSet[IndicatorType] = frozenset(TYPES)

    def __init__(self, options: Options, tools: Tools) -> None:
        self.name = tools.name
        self.batch_size = options.batch_size
        self.meter = tools.meter(options.limits)
        headers = {"Authorization": options.key, "Accept": SecretStr("application/json")}
        self._client = tools.client(self.meter, headers=headers)
        self._options = options

    def lookup(
        self, kind: IndicatorType, indicators: Sequence[str]
    ) -> Mapping[str, Verdict | None]:
        """See `LiveService`."""
        found = defaultdict[str, list[Verdict]](list)
        # Whether a URI was http or https the proxy's log does not tell: all ways to write it count.
        values = [*indicators, *_other_schemes(indicators)] if kind == "uri" else indicators
        for attribute in self._attributes(kind, values):
            verdict = _verdict(attribute)
            # Of `address|port` and `domain|address` either half may be what was asked for.
            for value in (attribute["value"], *attribute["value"].split("|")):
                found[uri_key(value)].append(verdict)
        return {
            indicator: max(
                found[uri_key(indicator)], key=lambda verdict: verdict.severity, default=None
            )
            for indicator in indicators
        }

    def _attributes(
        self, kind: IndicatorType, indicators: Sequence[str]
    ) -> Iterator[Mapping[str, Any]]:
        for page in range(1, MAX_PAGES + 1):
            question = {
                "returnFormat": "json",
                "value": list(indicators),
                "type": list(TYPES[kind]),
                "enforceWarninglist": 1,
                "includeContext": 1,
                "page": page,
                "limit": self._options.page_size,
                **({"to_ids": 1} if self._options.to_ids else {}),
            }
            answer = self._client.post_json(
                f"{self._options.url}/attributes/restSearch", json=question
            )
            attributes = answer["response"]["Attribute"]
            yield from attributes
            if len(attributes) < self._options.page_size:
                return


def _other_schemes(uris: Sequence[str]) -> list[str]:
    bare = [uri.partition("://")[2] for uri in uris]
    return [f"{scheme}{uri}" for uri in bare for scheme in ("https://", "http://", "")]


def _verdict(attribute: Mapping[str, Any]) -> Verdict:
    event = attribute["Event"]
    level = str(event.get("threat_level_id", "4"))
    return Verdict(
        SEVERITIES.get(level, UNVERIFIED),
        attribute["category"],
        category=event.get("info") or None,
        matched_entry=attribute["value"],
    )
