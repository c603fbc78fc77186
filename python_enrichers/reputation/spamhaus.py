"""Spamhaus DROP: networks that criminals hold, as newline-delimited JSON."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from pydantic import Field

from python_enrichers.budget import Limits
from python_enrichers.context_files import ContextFile
from python_enrichers.reputation.base import HIGH, BaseUrl, Entry, ListSource, ServiceOptions, Tools
from python_enrichers.reputation.list_files import read_records
from python_enrichers.reputation.matching import entry
from spot_oa.pipelines import IndicatorType


class Options(ServiceOptions):
    """No key is needed; fetching more often than hourly gets a network blocked."""

    url: BaseUrl = "https://www.spamhaus.org/drop"
    files: tuple[str, ...] = ("drop_v4.json", "drop_v6.json")
    hours: float = Field(default=12, ge=1)
    """The list is fetched no more often."""


def load(options: Options, tools: Tools) -> Sequence[ListSource]:
    """Take the list."""
    return [Drop(options, tools)]


class Drop:
    """Both files as one list; the metadata with the copyright stays in the copy."""

    kinds: AbstractSet[IndicatorType] = frozenset(("address", "uri"))
    max_age: dt.timedelta | None = dt.timedelta(days=7)
    attribution = "(c) The Spamhaus Project, DROP (https://www.spamhaus.org/drop/)"

    def __init__(self, options: Options, tools: Tools) -> None:
        self.name = tools.name
        self.interval = dt.timedelta(hours=options.hours)
        self._client = tools.client(tools.meter(Limits(daily=50, per_minute=10)))
        self._options = options

    def fetch(self, path: Path) -> None:
        """See `ListSource`."""
        part = path.with_name(f"{path.name}.part")
        try:
            with path.open("wb") as whole:
                for name in self._options.files:
                    self._client.download(f"{self._options.url}/{name}", part)
                    whole.write(part.read_bytes().rstrip() + b"\n")
        finally:
            part.unlink(missing_ok=True)

    def read(self, path: Path) -> ContextFile[Entry] | None:
        """See `ListSource`."""
        return read_records(self.name, path, self._entry)

    def _entry(self, line: str) -> Entry | None:
        record = json.loads(line)
        if record.get("type") == "metadata":
            self.attribution = record.get("copyright") or self.attribution
            return None
        return entry(record["cidr"], "DROP", HIGH, None, record.get("sblid"))
