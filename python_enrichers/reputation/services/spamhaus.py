"""Spamhaus DROP: networks controlled by criminals, as newline-delimited JSON."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from pydantic import Field

from python_enrichers.budget import Limits
from python_enrichers.context_files import ContextFile, naive_utc
from python_enrichers.http import Marks
from python_enrichers.reputation.base import (
    HIGH,
    BaseUrl,
    Entry,
    ListSource,
    ServiceOptions,
    Tools,
    WordList,
)
from python_enrichers.reputation.lists.match import entry
from python_enrichers.reputation.lists.read import read_records
from spot_oa.pipelines import IndicatorType


class Options(ServiceOptions):
    """No key is needed; Spamhaus blocks networks that fetch more often than hourly."""

    url: BaseUrl = "https://www.spamhaus.org/drop"
    files: WordList = Field(default=("drop_v4.json", "drop_v6.json"), min_length=1)
    """Names of files below `url`."""
    hours: float = Field(default=12, ge=1)
    """Minimum hours between fetches."""


def load(options: Options, tools: Tools) -> Sequence[ListSource]:
    """Return the list."""
    return [Drop(options, tools)]


class Drop:
    """Both files as one list; the metadata with the copyright stays in the copy."""

    kinds: AbstractSet[IndicatorType] = frozenset(("address", "uri"))
    max_age: dt.timedelta | None = dt.timedelta(days=7)
    attribution = "(c) The Spamhaus Project, DROP (https://www.spamhaus.org/drop/)"

    def __init__(self, options: Options, tools: Tools) -> None:
        self.name = tools.name
        self.interval = dt.timedelta(hours=options.hours)
        self.meter = tools.meter(Limits(daily=50, per_minute=10))
        self._client = tools.client(self.meter)
        self._urls = [f"{options.url}/{name}" for name in options.files]

    def fetch(self, path: Path, marks: Marks) -> bool:
        """See `ListSource`."""
        return self._client.download_all(self._urls, path, marks)

    def read(self, path: Path) -> ContextFile[Entry] | None:
        """See `ListSource`."""
        return read_records(self.name, path, self._entry)

    def _entry(self, line: str) -> Entry | None:
        record = json.loads(line)
        if record.get("type") == "metadata":
            # The licence requires copyright and date to stay with the data.
            self.attribution = record.get("copyright") or self.attribution
            if "timestamp" in record:
                self.attribution += f", as of {naive_utc(record['timestamp']).date()}"
            return None
        return entry(record["cidr"], "DROP", HIGH, None, record.get("sblid"))
