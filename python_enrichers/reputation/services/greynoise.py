"""GreyNoise, API v3: whether an address scans the whole Internet, or is a well-known service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import Field, SecretStr

from python_enrichers.reputation.base import (
    HIGH,
    LOW,
    MEDIUM,
    NONE,
    UNVERIFIED,
    BaseUrl,
    LiveOptions,
    LiveService,
    Tools,
    Verdict,
    part,
)
from spot_oa.pipelines import IndicatorType

SEVERITIES = {
    "malicious": HIGH,
    "suspicious": MEDIUM,
    "unknown": UNVERIFIED,
    "benign": NONE,
}
TRUSTED = "1"
"""Highest trust level of business services; 2 is reasonably sure."""


class Options(LiveOptions):
    """`bulk` queries many addresses per call and needs a paid key; otherwise the community API."""

    key: SecretStr | None = None
    bulk: bool = False
    url: BaseUrl = "https://api.greynoise.io/v3"
    daily: int = Field(default=50, ge=0)
    batch_size: int = Field(default=1000, ge=1, le=10_000)


def load(options: Options, tools: Tools) -> Sequence[LiveService]:
    """Return the service."""
    return [Bulk(options, tools)] if options.bulk else [Community(options, tools)]


class _GreyNoise:
    kinds: AbstractSet[IndicatorType] = frozenset({"address"})

    def __init__(self, options: Options, tools: Tools) -> None:
        self.name = tools.name
        self.meter = tools.meter(options.limits)
        headers = {"key": options.key} if options.key else None
        self._client = tools.client(self.meter, headers=headers)
        self._url = options.url


class Community(_GreyNoise):
    """Queries address by address."""

    batch_size = 1

    def lookup(
        self,
        kind: IndicatorType,  # noqa: ARG002 - there is one
        indicators: Sequence[str],
    ) -> Mapping[str, Verdict | None]:
        """See `LiveService`."""
        (address,) = indicators
        if not _of_ipv4(indicators):
            return {address: None}
        answer = part(self._client.get_json(f"{self._url}/community/{address}", missing=(404,)))
        if answer is None or not (answer["noise"] or answer["riot"]):
            return {address: None}
        return {address: _verdict(answer, answer.get("name"))}


class Bulk(_GreyNoise):
    """Queries many addresses at a time."""

    def __init__(self, options: Options, tools: Tools) -> None:
        super().__init__(options, tools)
        self.batch_size = options.batch_size

    def lookup(
        self,
        kind: IndicatorType,  # noqa: ARG002 - there is one
        indicators: Sequence[str],
    ) -> Mapping[str, Verdict | None]:
        """See `LiveService`."""
        records: dict[str, Verdict | None] = {}
        if addresses := _of_ipv4(indicators):
            answer = self._client.post_json(f"{self._url}/ip", json={"ips": addresses})
            records = {record["ip"]: _of_record(record) for record in part(answer, "data") or ()}
        # The answer may omit unknown addresses.
        return {address: records.get(address) for address in indicators}


def _of_record(record: Mapping[str, Any]) -> Verdict | None:
    scanner = part(record, "internet_scanner_intelligence")
    business = part(record, "business_service_intelligence")
    if scanner and scanner["found"]:
        return _verdict(scanner, scanner.get("actor"))
    if business and business["found"]:
        severity = NONE if str(business.get("trust_level")) == TRUSTED else LOW
        return Verdict(severity, "business service", category=business.get("name") or None)
    return None


def _of_ipv4(addresses: Sequence[str]) -> list[str]:
    """Return the IPv4 addresses: GreyNoise rejects a request with any other address."""
    return [address for address in addresses if ":" not in address]


def _verdict(record: Mapping[str, Any], name: str | None) -> Verdict:
    classification = record["classification"] or "unknown"
    severity = SEVERITIES.get(classification, UNVERIFIED)
    return Verdict(severity, classification, category=name or None)
