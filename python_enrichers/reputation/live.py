"""Query a live service: only indicators that may be sent and are not cached, within its limits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from python_enrichers.base import Indicators, Outcome, SourceError, Status
from python_enrichers.bounded import work_off
from python_enrichers.budget import NotAskedError
from python_enrichers.context_files import naive_utc
from python_enrichers.reputation.base import (
    SEVERITIES,
    Key,
    LiveService,
    Verdict,
    Verdicts,
    every,
    fault_of,
    storable,
    verdict_rows,
)
from python_enrichers.reputation.sendable import Sendable
from python_enrichers.reputation.verdict_cache import Kept, VerdictCache
from spot_oa.pipelines import IndicatorType
from spot_oa.settings import Settings

ENOUGH_FAULTS = 3
"""Stop after this many outages or timeouts in a row."""
_GRACE = 1.0
"""Seconds beyond the limit in which running requests can end and report their result."""


class Live:
    """Adapter of a live service for `Reputation`; see `ReputationService`."""

    def __init__(
        self,
        service: LiveService,
        settings: Settings,
        sendable: Sendable,
        cache: VerdictCache,
        *,
        fresh: bool = False,
    ) -> None:
        self.name = service.name
        self.kinds = service.kinds
        self._service = service
        self._settings = settings
        self._sendable = sendable
        self._cache = cache
        self._fresh = fresh

    def lookup(self, indicators: Indicators) -> Verdicts:
        """Query indicators that are not cached; see `ReputationService.lookup`."""
        asked = every(indicators)
        forms = self._sendable.forms(indicators)
        # Distinct, with the most suspicious first.
        keys = dict.fromkeys((kind, form) for (kind, _), form in forms.items() if form)
        kept = {} if self._fresh else self._cache.get(keys, time.time())
        round_ = _Round(self._service, self._cache)
        self._ask([key for key in keys if key not in kept], round_)
        answers, faults, why_not = round_.result()
        known = kept | answers
        found = [known.get((kind, forms[kind, text] or "")) for kind, text in asked]
        outcomes = [
            _outcome(at_hand, faults.get((kind, forms[kind, text] or "")))
            for at_hand, (kind, text) in zip(found, asked, strict=True)
        ]
        rows = verdict_rows(
            self.name,
            asked,
            outcomes,
            [at_hand and at_hand.verdict for at_hand in found],
            fetched_at=[at_hand and naive_utc(at_hand.fetched) for at_hand in found],
            expires_at=[at_hand and naive_utc(at_hand.expires) for at_hand in found],
        )
        withheld = sum(form is None for form in forms.values())
        not_asked = len(keys) - len(kept) - len(answers) - len(faults)
        gaps = self._service.meter.gaps
        parts = [
            f"{len(kept)} from the cache" if kept else "",
            f"{withheld} not sent, not public" if withheld else "",
            f"{not_asked} not asked, {why_not}" if not_asked else "",
            next((fault.reason for fault in faults.values()), ""),
            *gaps,
            self._service.meter.left_in_words(),
        ]
        return Verdicts(
            rows,
            Outcome(
                self.name,
                _status(faults, is_partial=bool(not_asked or gaps)),
                asked=len(keys) - not_asked,
                found=outcomes.count(Status.ANSWERED),
                detail=", ".join(dict.fromkeys(filter(None, parts))),
            ),
        )

    def _ask(self, keys: Sequence[Key], round_: _Round) -> None:
        seconds = self._settings.service_seconds
        self._service.meter.deadline.start(seconds)
        batches = list(self._batches(keys))
        # Cut to the calls left before any thread starts, so that the most suspicious get them.
        within = batches[: self._calls_left()]
        jobs = (partial(round_.ask, *batch) for batch in within)
        work_off(jobs, min(len(within), self._settings.service_threads), seconds + _GRACE)
        if len(within) < len(batches):
            round_.stop(f"the day's budget of {self._service.meter.limits.daily} calls is used up")

    def _calls_left(self) -> int | None:
        try:
            return self._service.meter.left()
        except SourceError:
            return None  # The first request will report it.

    def _batches(self, keys: Sequence[Key]) -> Iterator[tuple[IndicatorType, list[str]]]:
        size = self._service.batch_size
        for kind in dict.fromkeys(kind for kind, _ in keys):
            forms = [form for of, form in keys if of == kind]
            for begin in range(0, len(forms), size):
                yield kind, forms[begin : begin + size]


@dataclass(slots=True)
class _Round:
    """The requests of one run to one service, from several threads."""

    service: LiveService
    cache: VerdictCache
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _answers: dict[Key, Kept] = field(default_factory=dict)
    _faults: dict[Key, SourceError] = field(default_factory=dict)
    _under_way: set[Key] = field(default_factory=set)
    _faults_in_a_row: int = 0
    _why_not: str = ""

    def ask(self, kind: IndicatorType, forms: list[str]) -> None:
        """Query one batch and store its results."""
        keys = [(kind, form) for form in forms]
        with self._lock:
            if self._why_not:
                return
            self._under_way.update(keys)
        answers: dict[Key, Verdict | None] = {}
        faults: dict[Key, SourceError] = {}
        fault: SourceError | None = None
        why_not = ""
        try:
            given = self.service.lookup(kind, forms)
            missing = SourceError(Status.MALFORMED, "the answer lacks some indicators")
            for form in forms:
                result = given.get(form, missing)
                if isinstance(result, SourceError):
                    faults[kind, form] = result
                else:
                    answers[kind, form] = _checked(result)
        except NotAskedError as error:
            why_not = error.reason
        except Exception as error:  # noqa: BLE001 - a faulty service must not stop the run
            fault = fault_of(error)
        if fault:
            answers, faults = {}, dict.fromkeys(keys, fault)
        with self._lock:
            self._under_way.difference_update(keys)
            self._answers |= self.cache.put(answers, time.time())
            self._note(faults, is_whole=not answers)
            self._why_not = self._why_not or why_not

    def stop(self, why_not: str) -> None:
        """Send no more requests, for a reason."""
        with self._lock:
            self._why_not = self._why_not or why_not

    def _note(self, faults: Mapping[Key, SourceError], *, is_whole: bool) -> None:
        self._faults |= faults
        if not faults:
            self._faults_in_a_row = 0
        if not faults or not is_whole:
            return
        statuses = {fault.status for fault in faults.values()}
        # An unusual name may cause a malformed answer; it must not stop lookups of the others.
        self._faults_in_a_row += bool(statuses & {Status.UNAVAILABLE, Status.TIMEOUT})
        if Status.UNAUTHORISED in statuses or self._faults_in_a_row >= ENOUGH_FAULTS:
            self._why_not = self._why_not or "stopped after failures"

    def result(self) -> tuple[dict[Key, Kept], dict[Key, SourceError], str]:
        """Return answers, faults, and why the rest was not asked; running requests time out."""
        with self._lock:
            late = SourceError(Status.TIMEOUT, "no answer within the time limit")
            why_not = self._why_not = self._why_not or "the time limit was reached"
            return dict(self._answers), self._faults | dict.fromkeys(self._under_way, late), why_not


def _outcome(kept: Kept | None, fault: SourceError | None) -> Status:
    if kept:
        return Status.ANSWERED if kept.verdict else Status.NOT_FOUND
    return fault.status if fault else Status.NOT_ASKED


def _checked(verdict: Verdict | None) -> Verdict | None:
    """Check a verdict: services may come from other packages.

    Raises:
        ValueError: The value is not a verdict, or one of its texts cannot be stored.
        TypeError: One of its texts is not text.
    """
    if verdict is None:
        return None
    if not isinstance(verdict, Verdict) or verdict.severity not in SEVERITIES:
        raise ValueError("not a verdict")
    if not isinstance(verdict.label, str) or not isinstance(verdict.confidence, float | int | None):
        raise ValueError("the verdict's label is not text, or its confidence is not a number")
    storable(verdict.label, verdict.category, verdict.matched_entry)
    return verdict


def _status(faults: Mapping[Key, SourceError], *, is_partial: bool) -> Status:
    found = {fault.status.of_source for fault in faults.values()}
    worst = (status for status in reversed(Status) if status in found)
    return next(worst, Status.PARTIAL if is_partial else Status.OK)
