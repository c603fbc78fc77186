"""AbuseIPDB, API v2: reports on addresses, and its blacklist as a list."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from pydantic import Field, SecretStr

from python_enrichers.budget import Limits
from python_enrichers.context_files import ContextFile
from python_enrichers.http import Marks
from python_enrichers.reputation.base import (
    HIGH,
    LOW,
    MEDIUM,
    NONE,
    BaseUrl,
    Entry,
    ListSource,
    LiveOptions,
    LiveService,
    Tools,
    Verdict,
    part,
)
from python_enrichers.reputation.lists.match import entry
from python_enrichers.reputation.lists.read import read_records, write_records
from spot_oa.pipelines import IndicatorType

ADDRESSES: AbstractSet[IndicatorType] = frozenset({"address"})


class Options(LiveOptions):
    """Free keys allow 1,000 checks and 5 blacklists a day."""

    key: SecretStr
    url: BaseUrl = "https://api.abuseipdb.com/api/v2"
    max_age_days: int = Field(default=30, ge=1, le=365)
    check: bool = True
    blacklist: bool = False
    blacklist_confidence: int = Field(default=90, ge=25, le=100)
    high: int = 75
    medium: int = 40
    low: int = 1


def load(options: Options, tools: Tools) -> Sequence[LiveService | ListSource]:
    """Return the lookup of addresses, the blacklist, or both."""
    return [
        *([AbuseIpDb(options, tools)] if options.check else []),
        *([Blacklist(options, tools)] if options.blacklist else []),
    ]


class AbuseIpDb:
    """Queries address by address."""

    kinds = ADDRESSES
    batch_size = 1

    def __init__(self, options: Options, tools: Tools) -> None:
        self.name = tools.name
        self.meter = tools.meter(options.limits)
        self._client = tools.client(self.meter, headers={"Key": options.key})
        self._options = options

    def lookup(
        self,
        kind: IndicatorType,  # noqa: ARG002 - there is one
        indicators: Sequence[str],
    ) -> Mapping[str, Verdict | None]:
        """See `LiveService`."""
        (address,) = indicators
        answer = self._client.get_json(
            f"{self._options.url}/check",
            {"ipAddress": address, "maxAgeInDays": self._options.max_age_days},
        )
        return {address: self._verdict(part(answer, "data"))}

    def _verdict(self, data: Mapping[str, object] | None) -> Verdict | None:
        if data is None:
            return None
        if data["isWhitelisted"]:
            return Verdict(NONE, "Whitelisted", confidence=0.0)
        if not data["totalReports"]:
            return None
        score = int(str(data["abuseConfidenceScore"]))
        category = str(data.get("usageType") or "") or None
        return Verdict(severity_of(score, self._options), f"Score {score}", float(score), category)


class Blacklist:
    """The addresses with the highest abuse confidence."""

    kinds = ADDRESSES
    interval = dt.timedelta(hours=24)
    max_age: dt.timedelta | None = dt.timedelta(days=7)
    attribution = "AbuseIPDB (https://www.abuseipdb.com)"

    def __init__(self, options: Options, tools: Tools) -> None:
        self.name = f"{tools.name}_blacklist"
        self.meter = tools.meter(Limits(daily=5, per_minute=5), self.name)
        self._client = tools.client(self.meter, headers={"Key": options.key})
        self._options = options

    def fetch(self, path: Path, marks: Marks) -> bool:  # noqa: ARG002 - made from scratch each time
        """See `ListSource`."""
        least = {"confidenceMinimum": self._options.blacklist_confidence, "limit": 500_000}
        answer = self._client.get_json(f"{self._options.url}/blacklist", least)
        write_records(path, part(answer, "data") or ())
        return True

    def read(self, path: Path) -> ContextFile[Entry] | None:
        """See `ListSource`."""
        return read_records(self.name, path, self._entry)

    def _entry(self, line: str) -> Entry:
        record = json.loads(line)
        score = int(record["abuseConfidenceScore"])
        severity = severity_of(score, self._options)
        return entry(record["ipAddress"], f"Score {score}", severity, float(score))


def severity_of(score: int, options: Options) -> int:
    """Return the severity of an abuse confidence score, 0 to 100."""
    thresholds = ((options.high, HIGH), (options.medium, MEDIUM), (options.low, LOW))
    return next((severity for least, severity in thresholds if score >= least), NONE)
