"""The runner under Prefect: its steps as task runs, its reports as logs and artifacts.

These are thin wrappers, so that the wrapped code can be tested without a server.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from prefect import Task, runtime
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import wait
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from flows.orchestration.artifacts import show_failure, show_summary
from flows.orchestration.secret_blocks import settings_with_secrets
from flows.run.runner import is_unchanged, run_day
from spot_oa.dates import Slice, parse_date
from spot_oa.errors import SpotOaError, printable

T = TypeVar("T")


def run_as_flow(
    pipeline: str,
    date: dt.date | None,
    limit: int | None,
    *,
    force_enrich: bool = False,
    skip_unchanged: bool = False,
    scorer: str | None = None,
) -> State[Any]:
    """Run a pipeline inside a flow run.

    Args:
        pipeline: The pipeline's name.
        date: The day; the day before the scheduled start if None.
        limit: Maximum number of results; the configured number if None.
        force_enrich: Query enrichment services again, ignoring cached answers.
        skip_unchanged: Skip a published day whose inputs and settings have not changed.
        scorer: `builtin` or `file`; the configured scorer if None.

    Returns:
        The final state: Completed, or Failed with the one-line reason as its message.
    """
    day = date or yesterday()
    part = Slice(pipeline, day)
    try:
        settings = settings_with_secrets()
        summary = run_day(
            settings,
            pipeline,
            day,
            LogReporter(part),
            limit=limit,
            force_enrich=force_enrich,
            caller=PrefectCaller(settings.retry_delays),
            skip_unchanged=skip_unchanged,
            scorer=scorer,
        )
    except SpotOaError as error:
        show_failure(part, error)
        return Failed(message=printable(error))
    if not summary.unchanged:
        show_summary(summary)
    return Completed(message=f"{part}: {summary.headline}")


def unchanged(pipeline: str, date: dt.date, limit: int | None) -> bool:
    """Whether the inputs of a published day are unchanged; False if unknown."""
    try:
        return is_unchanged(settings_with_secrets(), pipeline, date, limit)
    except SpotOaError:
        return False


def yesterday() -> dt.date:
    """Return the day (UTC) before the scheduled start, even if the run starts late."""
    scheduled = runtime.flow_run.scheduled_start_time or dt.datetime.now(dt.UTC)
    return (scheduled.astimezone(dt.UTC) - dt.timedelta(days=1)).date()


def run_name(pipeline: str = "") -> Callable[[], str]:
    """Return a function that names flow runs by pipeline (default: its parameter) and date."""

    def name() -> str:
        parameters = runtime.flow_run.parameters
        date = parameters.get("date") or yesterday()
        return f"{pipeline or parameters['pipeline']} {parse_date(date)}"

    return name


class PrefectCaller:
    """Executes each step as a task run; on a transient error, only that step is retried."""

    def __init__(self, retry_delays: Sequence[float]) -> None:
        self._retry_delays = list(retry_delays)
        self.flow_run_id: str | None = runtime.flow_run.id

    def call(self, name: str, step: Callable[[], T]) -> T:
        """See `Caller`."""
        return self._task(name, step)()

    def call_together(self, steps: Mapping[str, Callable[[], T]]) -> Mapping[str, T]:
        """See `Caller`."""
        futures = {name: self._task(name, step).submit() for name, step in steps.items()}
        # An error must not end the run while other steps still write.
        wait(list(futures.values()))
        return {name: future.result() for name, future in futures.items()}

    def _task(self, name: str, step: Callable[[], T]) -> Task[[], T]:
        return Task(
            step,
            name=name,
            task_run_name=name,
            cache_policy=NO_CACHE,
            persist_result=False,
            retries=len(self._retry_delays),
            retry_delay_seconds=self._retry_delays,
            retry_jitter_factor=0.2,
            retry_condition_fn=is_transient,
        )


class LogReporter:
    """Reports to the run's log, each line with pipeline and date."""

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


def is_transient(task: Task[..., Any], run: object, state: State[Any]) -> bool:  # noqa: ARG001
    """Whether Prefect should retry a failed task."""
    return isinstance(state.data, SpotOaError) and state.data.transient
