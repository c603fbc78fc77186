"""LevelBlue (AlienVault) OTX: pulses that contain an indicator, or all subscribed pulses."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import Field, SecretStr

from python_enrichers.context_files import ContextFile
from python_enrichers.domain import split_name
from python_enrichers.http import Marks
from python_enrichers.reputation.base import (
    EVERY_KIND,
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

LISTED_TYPES = frozenset({"IPv4", "IPv6", "CIDR", "domain", "hostname", "URL", "URI"})
MAX_PAGES = 200


class Options(LiveOptions):
    """`check` queries each indicator, `pulses` fetches the account's subscribed pulses."""

    key: SecretStr
    url: BaseUrl = "https://otx.alienvault.com/api/v1"
    daily: int = Field(default=10_000, ge=0)
    check: bool = True
    pulses: bool = False
    pulse_days: int = Field(default=90, ge=1)
    """Maximum days since the last change of a fetched pulse."""
    severity: int = Field(default=MEDIUM, ge=-1, le=3)
    """The severity of every pulse, as pulses have none."""


def load(options: Options, tools: Tools) -> Sequence[LiveService | ListSource]:
    """Return the lookup of indicators, the list of pulses, or both."""
    return [
        *([Otx(options, tools)] if options.check else []),
        *([Pulses(options, tools)] if options.pulses else []),
    ]


class Otx:
    """Queries indicator by indicator."""

    kinds: AbstractSet[IndicatorType] = EVERY_KIND
    batch_size = 1

    def __init__(self, options: Options, tools: Tools) -> None:
        self.name = tools.name
        self.meter = tools.meter(options.limits)
        self._client = tools.client(self.meter, headers={"X-OTX-API-KEY": options.key})
        self._options = options

    def lookup(
        self, kind: IndicatorType, indicators: Sequence[str]
    ) -> Mapping[str, Verdict | None]:
        """See `LiveService`."""
        (indicator,) = indicators
        url = f"{self._options.url}/indicators/{_type(kind, indicator)}/{quote(indicator, safe='')}"
        answer = self._client.get_json(f"{url}/general", missing=(404,))
        return {indicator: None if answer is None else self._verdict(answer)}

    def _verdict(self, answer: Any) -> Verdict | None:
        pulses = part(answer, "pulse_info") or {"count": 0}
        count = int(pulses["count"])
        # Popular sites are in many pulses; OTX's lists of false positives name them.
        if answer and answer.get("validation"):
            return Verdict(NONE, "Whitelisted", float(count))
        if not count:
            return None
        name = next((pulse.get("name") for pulse in pulses["pulses"] or ()), None)
        return Verdict(self._options.severity, f"{count} pulses", float(count), name)


class Pulses:
    """The indicators of all pulses that the account subscribes to."""

    kinds = EVERY_KIND
    interval = dt.timedelta(hours=6)
    max_age: dt.timedelta | None = dt.timedelta(days=7)
    attribution = "LevelBlue OTX (https://otx.alienvault.com)"

    def __init__(self, options: Options, tools: Tools) -> None:
        self.name = f"{tools.name}_pulses"
        self.meter = tools.meter(options.limits, self.name)
        self._client = tools.client(self.meter, headers={"X-OTX-API-KEY": options.key})
        self._options = options

    def fetch(self, path: Path, marks: Marks) -> bool:  # noqa: ARG002 - it comes in pages
        """See `ListSource`."""
        write_records(path, self._records())
        return True

    def _records(self) -> Iterator[Mapping[str, str]]:
        since = dt.datetime.now(dt.UTC) - dt.timedelta(days=self._options.pulse_days)
        page = 1
        while page and page <= MAX_PAGES:
            answer = self._client.get_json(
                f"{self._options.url}/pulses/subscribed",
                {"limit": 50, "page": page, "modified_since": since.isoformat(timespec="seconds")},
            )
            for pulse in part(answer, "results") or ():
                for found in part(pulse, "indicators") or ():
                    if found["type"] in LISTED_TYPES:
                        yield {"indicator": found["indicator"], "pulse": pulse["name"]}
            page = _next_page(answer.get("next") if answer else None)
        if page:
            # Store the warning with the copy, so that later runs report it too.
            yield {"left_out": f"pulses after page {MAX_PAGES} are missing: lower pulse_days"}

    def read(self, path: Path) -> ContextFile[Entry] | None:
        """See `ListSource`."""
        return read_records(self.name, path, self._entry)

    def _entry(self, line: str) -> Entry | None:
        record = json.loads(line)
        if "left_out" in record:
            self.meter.left_out(record["left_out"])
            return None
        return entry(record["indicator"], "Pulse", self._options.severity, None, record["pulse"])


def _type(kind: IndicatorType, indicator: str) -> str:
    if kind == "address":
        return "IPv6" if ":" in indicator else "IPv4"
    if kind == "uri":
        return "url"
    return "domain" if split_name(indicator)[0] == indicator else "hostname"


def _next_page(address: str | None) -> int:
    """Return the number of the next page; its URL is never followed."""
    return int(parse_qs(urlsplit(address).query)["page"][0]) if address else 0
