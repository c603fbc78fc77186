"""The steps as Prefect tasks: thin shells, so that what they do needs no server to be tested."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from spot_oa.dates import Slice
from spot_oa.errors import printable

T = TypeVar("T")


class PrefectCaller:
    """Calls each step as a task run of the flow run that it is used in."""

    def call(self, name: str, step: Callable[[], T]) -> T:
        """See `Caller`."""
        return _as_task(name, step)()

    def call_together(self, steps: Mapping[str, Callable[[], T]]) -> Mapping[str, T]:
        """See `Caller`."""
        futures = {name: _as_task(name, step).submit() for name, step in steps.items()}
        return {name: future.result() for name, future in futures.items()}


class LogReporter:
    """Tells the run's log, each line with pipeline and date."""

    def __init__(self, part: Slice) -> None:
        self._part = part
        self._log: logging.Logger | logging.LoggerAdapter[logging.Logger] = get_run_logger()

    def note(self, message: str) -> None:
        """See `Reporter`."""
        self._log.info("%s: %s", self._part, printable(message))

    def progress(self, message: str) -> None:
        """See `Reporter`."""
        self.note(message)

    def started(self, step: str) -> None:
        """See `Reporter`."""
        self._log.info("%s: %s begins", self._part, step)

    def finished(self, step: str, seconds: float, detail: str) -> None:
        """See `Reporter`."""
        self._log.info("%s: %s: %s (%.1f s)", self._part, step, printable(detail), seconds)


def _as_task(name: str, step: Callable[[], T]) -> Task[[], T]:
    return Task(step, name=name, cache_policy=NO_CACHE, persist_result=False)
