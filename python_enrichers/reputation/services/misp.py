"""MISP: attributes of the operator's own instance, subject to its warning lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import Field, SecretStr

from python_enrichers.base import SourceError, Status
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
    part,
)
from python_enrichers.reputation.uris import uri_key
from spot_oa.pipelines import IndicatorType

TYPES: Mapping[IndicatorType, Sequence[str]] = {
    "address": ("ip-src", "ip-dst", "ip-src|port", "ip-dst|port", "domain|ip"),
    "name": ("domain", "hostname", "hostname|port", "domain|ip"),
    "uri": ("url", "uri", "link"),
}
SEVERITIES = {"1": HIGH, "2": MEDIUM, "3": LOW, "4": UNVERIFIED}
"""Threat level of the event (high, medium, low, undefined) -> severity."""
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
    """Whether to use only attributes meant for detection."""


def load(options: Options, tools: Tools) -> Sequence[LiveService]:
    """Return the service."""
    return [Misp(options, tools)]


class Misp:
    """Queries in batches; of several attributes with a value the most severe event counts."""

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
    ) -> Mapping[str, Verdict | SourceError | None]:
        """See `LiveService`."""
        found = defaultdict[str, list[Verdict]](list)
        # Proxy logs do not show whether a URI was http or https, so query all spellings.
        values = [*indicators, *_other_schemes(indicators)] if kind == "uri" else indicators
        attributes, cut = self._attributes(kind, values)
        for attribute in attributes:
            verdict = _verdict(attribute)
            # Either half of `address|port` and `domain|address` may be the queried value.
            for value in (attribute["value"], *attribute["value"].split("|")):
                found[uri_key(value)].append(verdict)
        return {
            indicator: max(
                found[uri_key(indicator)], key=lambda verdict: verdict.severity, default=cut
            )
            for indicator in indicators
        }

    def _attributes(
        self, kind: IndicatorType, indicators: Sequence[str]
    ) -> tuple[list[Mapping[str, Any]], SourceError | None]:
        """Return the attributes, and a warning if there may be more."""
        found: list[Mapping[str, Any]] = []
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
            attributes = _attributes_of(answer)
            found += attributes
            if len(attributes) < self._options.page_size:
                return found, None
        reason = f"a query has more than {MAX_PAGES} pages: raise page_size or lower batch_size"
        self.meter.left_out(reason)
        return found, SourceError(Status.NOT_ASKED, reason)


def _attributes_of(answer: Any) -> list[Mapping[str, Any]]:
    """Return the attributes of an answer: in one list, one by one in a list, or a single one."""
    response = part(answer, "response") or []
    found: list[Mapping[str, Any]] = []
    for holder in response if isinstance(response, list) else [response]:
        attributes = part(holder, "Attribute") or []
        found += attributes if isinstance(attributes, list) else [attributes]
    return found


def _other_schemes(uris: Sequence[str]) -> list[str]:
    bare = [uri.partition("://")[2] for uri in uris]
    return [f"{scheme}{uri}" for uri in bare for scheme in ("https://", "http://", "")]


def _verdict(attribute: Mapping[str, Any]) -> Verdict:
    event = part(attribute, "Event") or {}
    level = str(event.get("threat_level_id", "4"))
    return Verdict(
        SEVERITIES.get(level, UNVERIFIED),
        attribute["category"],
        category=event.get("info") or None,
        matched_entry=attribute["value"],
    )
