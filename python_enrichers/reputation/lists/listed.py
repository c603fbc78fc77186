"""A list as a service: it answers for indicators that it has; the others are "not found"."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Set as AbstractSet
from dataclasses import replace

from python_enrichers.base import Indicators, Outcome, SourceError, Status
from python_enrichers.context_files import ContextFile, naive_utc
from python_enrichers.reputation.base import EVERY_KIND, Entry, Verdicts, every, verdict_rows
from python_enrichers.reputation.lists.match import NOT_FOUND, Matcher
from spot_oa.errors import printable
from spot_oa.pipelines import IndicatorType


class Listed:
    """A list with a local copy; see `ReputationService`."""

    def __init__(
        self,
        file: ContextFile[Entry],
        *,
        kinds: AbstractSet[IndicatorType] = EVERY_KIND,
        expires_at: dt.datetime | None = None,
        status: Status = Status.OK,
        note: str = "",
        attribution: str = "",
    ) -> None:
        self.name = file.name
        self.kinds = kinds
        self._file = file
        self._expires_at = expires_at
        self._status = status
        self._note = note
        self._attribution = attribution
        self._matcher = Matcher(file.entries)

    def lookup(self, indicators: Indicators) -> Verdicts:
        """Match indicators; see `ReputationService.lookup`."""
        asked = every(indicators)
        places = self._matcher.find(indicators)
        entries = self._file.entries
        rows = verdict_rows(
            self.name,
            asked,
            [Status.NOT_FOUND if at == NOT_FOUND else Status.ANSWERED for at in places],
            [None if at == NOT_FOUND else entries[at].verdict for at in places],
            fetched_at=[self._file.written_at] * len(asked),
            expires_at=[self._expires_at] * len(asked),
        )
        outcome = self._file.outcome(len(asked), len(places) - places.count(NOT_FOUND))
        return Verdicts(
            rows,
            replace(
                outcome,
                status=self._status,
                detail=", ".join(filter(None, (outcome.detail, self._age(), self._note))),
                attribution=self._attribution,
            ),
        )

    def _age(self) -> str:
        return f"{(naive_utc(time.time()) - self._file.written_at).days} days old"


class Absent:
    """A list without a local copy: every lookup reports the failure, never "not found"."""

    def __init__(self, name: str, kinds: AbstractSet[IndicatorType], fault: SourceError) -> None:
        self.name = name
        self.kinds = kinds
        self._fault = fault

    def lookup(self, indicators: Indicators) -> Verdicts:
        """Return the failure for each indicator; see `ReputationService.lookup`."""
        asked = every(indicators)
        rows = verdict_rows(self.name, asked, [self._fault.status] * len(asked))
        reason = printable(self._fault.reason)
        return Verdicts(rows, Outcome(self.name, self._fault.status.of_source, detail=reason))
