"""A list as a service: indicators that it has are answered, the others are not found."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Set as AbstractSet
from dataclasses import replace

from python_enrichers.base import Indicators, Outcome, Status, lookup_frame
from python_enrichers.context_files import ContextFile, naive_utc
from python_enrichers.reputation.base import Answer, Entry, Said, Verdicts, verdict_rows
from python_enrichers.reputation.lists.match import NOT_FOUND, Matcher
from spot_oa.pipelines import IndicatorType

EVERY_KIND: AbstractSet[IndicatorType] = frozenset(("address", "name", "uri"))
ENTRY = {0: "matched_entry", 1: "label", 2: "severity", 4: "confidence", 5: "category"}
"""Columns of the verdicts by their place in an `Entry`; what it matches is none."""


class Listed:
    """A list that was read; see `ReputationService`."""

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
        asked = [(kind, text) for kind, texts in indicators.items() for text in texts]
        places = self._matcher.find(indicators)
        nothing = (None,) * (max(ENTRY) + 1)
        found = [self._file.entries[at] if at != NOT_FOUND else nothing for at in places]
        # By columns and not by `Said`: lists are asked about everything.
        rows = lookup_frame(
            "reputation_verdicts",
            {
                "indicator": [text for _, text in asked],
                "indicator_type": [kind for kind, _ in asked],
                "service": [self.name] * len(asked),
                **{field: [entry[at] for entry in found] for at, field in ENTRY.items()},
                "fetched_at": [self._file.written_at] * len(asked),
                "expires_at": [self._expires_at] * len(asked),
                "outcome": [
                    Answer.NOT_FOUND if at == NOT_FOUND else Answer.ANSWERED for at in places
                ],
            },
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

    def __init__(
        self, name: str, kinds: AbstractSet[IndicatorType], answer: Answer, outcome: Outcome
    ) -> None:
        self.name = name
        self.kinds = kinds
        self._answer = answer
        self._outcome = outcome

    def lookup(self, indicators: Indicators) -> Verdicts:
        """Say for each indicator why nothing is known; see `ReputationService.lookup`."""
        rows = verdict_rows(
            self.name,
            (
                Said(kind, text, self._answer)
                for kind, texts in indicators.items()
                for text in texts
            ),
        )
        return Verdicts(rows, self._outcome)
