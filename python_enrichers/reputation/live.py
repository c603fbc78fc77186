"""Asking a live service: only what may be sent, only what is not known, only within its limits."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from python_enrichers.base import Indicators, Outcome, SourceError, Status
from python_enrichers.bounded import work_off
from python_enrichers.budget import NotAskedError
from python_enrichers.context_files import naive_utc
from python_enrichers.reputation.base import (
    SEVERITIES,
    Answer,
    LiveService,
    Said,
    Verdict,
    Verdicts,
    storable,
    verdict_rows,
)
from python_enrichers.reputation.sendable import Sendable
from spot_oa.pipelines import IndicatorType
from spot_oa.settings import Settings

if TYPE_CHECKING:
    from python_enrichers.reputation.verdict_cache import Kept, Key, VerdictCache

ENOUGH_FAULTS = 3
"""After so many outages or timeouts in a row the service is left alone."""
_GRACE = 1.0
"""Seconds more than the limit: a request ends by itself and says how."""


class Live:
    """A live service as `Reputation` asks it; see `ReputationService`."""

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
        """Ask what is not known yet; see `ReputationService.lookup`."""
        texts = [(kind, text) for kind, given in indicators.items() for text in given]
        forms = self._sendable.forms(indicators)
        # Distinct, and still the most suspicious first.
        keys = dict.fromkeys((kind, form) for (kind, _), form in forms.items() if form)
        kept = {} if self._fresh else self._cache.get(keys, time.time())
        round_ = _Round(self._service, self._cache)
        self._ask([key for key in keys if key not in kept], round_)
        answers, faults, why_not = round_.result()
        known = kept | answers
        said = [_said(kind, text, forms[kind, text], known, faults) for kind, text in texts]
        return Verdicts(
            verdict_rows(self.name, said),
            Outcome(
                self.name,
                _status(
                    faults,
                    is_partial=len(keys) > len(kept) + len(answers) + len(faults)
                    or bool(self._service.meter.gaps),
                ),
                asked=len(kept) + len(answers) + len(faults),
                found=sum(row.answer is Answer.ANSWERED for row in said),
                detail=self._detail(said, forms, len(kept), faults, why_not),
            ),
        )

    def _ask(self, keys: Sequence[Key], round_: _Round) -> None:
        seconds = self._settings.service_seconds
        self._service.meter.deadline.start(seconds)
        batches = list(self._batches(keys))
        # Cut to the calls left before any thread starts: the most suspicious indicators get them.
        within = batches[: self._calls_left()]
        jobs = (partial(round_.ask, *batch) for batch in within)
        work_off(jobs, min(len(within), self._settings.service_threads), seconds + _GRACE)
        if len(within) < len(batches):
            round_.stop(f"the day's budget of {self._service.meter.limits.daily} calls is spent")

    def _calls_left(self) -> int | None:
        try:
            return self._service.meter.left()
        except SourceError:
            return None  # The first question will say so.

    def _batches(self, keys: Sequence[Key]) -> Iterator[tuple[IndicatorType, list[str]]]:
        size = self._service.batch_size
        for kind in dict.fromkeys(kind for kind, _ in keys):
            forms = [form for of, form in keys if of == kind]
            for begin in range(0, len(forms), size):
                yield kind, forms[begin : begin + size]

    def _detail(
        self,
        said: Sequence[Said],
        forms: Mapping[Key, str | None],
        kept: int,
        faults: Mapping[Key, SourceError],
        why_not: str,
    ) -> str:
        answers = Counter(row.answer for row in said)
        withheld = sum(form is None for form in forms.values())
        not_asked = answers[Answer.NOT_ASKED] - withheld
        parts = [
            f"{kept} from the cache" if kept else "",
            f"{withheld} not for others" if withheld else "",
            f"{not_asked} not asked, {why_not}" if not_asked else "",
            next((fault.reason for fault in faults.values()), ""),
            *self._service.meter.gaps,
        ]
        try:
            parts.append(f"{self._service.meter.left()} calls left today")
        except SourceError as error:
            parts.append(error.reason)
        return ", ".join(filter(None, parts))


@dataclass(slots=True)
class _Round:
    """The questions of one run to one service, asked from several threads."""

    service: LiveService
    cache: VerdictCache
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _answers: dict[Key, Kept] = field(default_factory=dict)
    _faults: dict[Key, SourceError] = field(default_factory=dict)
    _under_way: set[Key] = field(default_factory=set)
    _faults_in_a_row: int = 0
    _why_not: str = ""

    def ask(self, kind: IndicatorType, forms: list[str]) -> None:
        """Ask about one batch and note what came of it."""
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
            missing = SourceError(Status.MALFORMED, "some indicators were not answered")
            for form in forms:
                said = given.get(form, missing)
                if isinstance(said, SourceError):
                    faults[kind, form] = said
                else:
                    answers[kind, form] = _checked(said)
        except NotAskedError as error:
            why_not = str(error)
        except SourceError as error:
            fault = error
        except Exception as error:  # noqa: BLE001 - whatever a service does, the day goes on
            # Its type and not its text: that may hold what was sent.
            form = type(error).__name__
            fault = SourceError(Status.MALFORMED, f"its answer is of no known form ({form})")
        if fault:
            answers, faults = {}, dict.fromkeys(keys, fault)
        with self._lock:
            self._under_way.difference_update(keys)
            self._answers |= self.cache.put(answers, time.time())
            self._note(faults, is_whole=not answers)
            self._why_not = self._why_not or why_not

    def stop(self, why_not: str) -> None:
        """Ask nothing more, for a reason."""
        with self._lock:
            self._why_not = self._why_not or why_not

    def _note(self, faults: Mapping[Key, SourceError], *, is_whole: bool) -> None:
        self._faults |= faults
        if not faults:
            self._faults_in_a_row = 0
        if not faults or not is_whole:
            return
        statuses = {fault.status for fault in faults.values()}
        # A malformed answer may be the indicator's doing: odd names must not shield the others.
        self._faults_in_a_row += bool(statuses & {Status.UNAVAILABLE, Status.TIMEOUT})
        if Status.UNAUTHORISED in statuses or self._faults_in_a_row >= ENOUGH_FAULTS:
            self._why_not = self._why_not or "it was not asked any more"

    def result(self) -> tuple[dict[Key, Kept], dict[Key, SourceError], str]:
        """Answers, faults, and why the others were not asked; what is under way has timed out."""
        with self._lock:
            late = SourceError(Status.TIMEOUT, "no answer in the time it has")
            why_not = self._why_not = self._why_not or "its time was over"
            return dict(self._answers), self._faults | dict.fromkeys(self._under_way, late), why_not


def _said(
    kind: IndicatorType,
    text: str,
    form: str | None,
    answers: Mapping[Key, Kept],
    faults: Mapping[Key, SourceError],
) -> Said:
    key = (kind, form or "")
    if kept := answers.get(key):
        answer = Answer.ANSWERED if kept.verdict else Answer.NOT_FOUND
        fetched, expires = naive_utc(kept.fetched), naive_utc(kept.expires)
        return Said(kind, text, answer, kept.verdict, fetched, expires)
    fault = faults.get(key)
    return Said(kind, text, answer_of(fault.status) if fault else Answer.NOT_ASKED)


def _checked(verdict: Verdict | None) -> Verdict | None:
    """Refuse what is no verdict: services come from elsewhere too.

    Raises:
        ValueError: It is none, or a text of it cannot be stored.
        TypeError: A text of it is none.
    """
    if verdict is None:
        return None
    if not isinstance(verdict, Verdict) or verdict.severity not in SEVERITIES:
        raise ValueError("no verdict")
    if not isinstance(verdict.label, str) or not isinstance(verdict.confidence, float | int | None):
        raise ValueError("a verdict whose label is no text or whose confidence is no number")
    storable(verdict.label, verdict.category, verdict.matched_entry)
    return verdict


def answer_of(status: Status) -> Answer:
    """The answer that an indicator got from a source with that fault."""
    if status is Status.PARTIAL:
        return Answer.NOT_ASKED
    return Answer(status) if status.value in set(Answer) else Answer.UNAVAILABLE


def _status(faults: Mapping[Key, SourceError], *, is_partial: bool) -> Status:
    found = {fault.status for fault in faults.values()}
    worst = (status for status in reversed(Status) if status in found)
    return next(worst, Status.PARTIAL if is_partial else Status.OK)
