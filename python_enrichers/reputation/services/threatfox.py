"""ThreatFox of abuse.ch: the indicators of the last days, as a list."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from pydantic import Field, SecretStr

from python_enrichers.base import SourceError, Status
from python_enrichers.budget import Limits
from python_enrichers.context_files import ContextFile
from python_enrichers.http import Marks
from python_enrichers.reputation.base import (
    EVERY_KIND,
    HIGH,
    LOW,
    MEDIUM,
    Entry,
    ListSource,
    ServiceOptions,
    Tools,
    part,
)
from python_enrichers.reputation.lists.match import entry
from python_enrichers.reputation.lists.read import read_records, write_records
from spot_oa.pipelines import IndicatorType

CONFIDENCES = ((75, HIGH), (50, MEDIUM))
LISTED_TYPES = ("ip:port", "domain", "url")


class Options(ServiceOptions):
    """The key is free (https://auth.abuse.ch)."""

    key: SecretStr
    url: str = "https://threatfox-api.abuse.ch/api/v1/"
    days: int = Field(default=7, ge=1, le=7)
    hours: float = Field(default=1, ge=1)
    """Minimum hours between fetches."""


def load(options: Options, tools: Tools) -> Sequence[ListSource]:
    """Return the list."""
    return [ThreatFox(options, tools)]


class ThreatFox:
    """Addresses (of `address:port`), domains and URLs, without hashes of files."""

    kinds: AbstractSet[IndicatorType] = EVERY_KIND
    max_age: dt.timedelta | None = dt.timedelta(days=7)
    attribution = "ThreatFox by abuse.ch (https://threatfox.abuse.ch)"

    def __init__(self, options: Options, tools: Tools) -> None:
        self.name = tools.name
        self.interval = dt.timedelta(hours=options.hours)
        self.meter = tools.meter(Limits(daily=100, per_minute=10))
        self._client = tools.client(self.meter, headers={"Auth-Key": options.key})
        self._options = options

    def fetch(self, path: Path, marks: Marks) -> bool:  # noqa: ARG002 - fetched by POST
        """See `ListSource`."""
        question = {"query": "get_iocs", "days": self._options.days}
        answer = self._client.post_json(self._options.url, json=question)
        if part(answer) is None:
            raise SourceError(Status.MALFORMED, "ThreatFox sent an empty answer")
        if answer["query_status"] == "unknown_auth_key":
            raise SourceError(Status.UNAUTHORISED, "ThreatFox rejected the key: check it")
        if answer["query_status"] not in ("ok", "no_result"):
            raise SourceError(Status.MALFORMED, "ThreatFox rejected the query")
        # Without results, `data` is a sentence.
        records = part(answer, "data") if answer["query_status"] == "ok" else None
        write_records(path, records or ())
        return True

    def read(self, path: Path) -> ContextFile[Entry] | None:
        """See `ListSource`."""
        return read_records(self.name, path, _entry)


def _entry(line: str) -> Entry | None:
    record = json.loads(line)
    if record["ioc_type"] not in LISTED_TYPES:
        return None
    confidence = int(record["confidence_level"])
    severity = next((level for least, level in CONFIDENCES if confidence >= least), LOW)
    label = record.get("malware_printable") or "Listed"
    return entry(record["ioc"], label, severity, float(confidence), record.get("threat_type"))
