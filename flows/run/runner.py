"""The one runner: which steps a run has, and in which order. Who calls them is handed in."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, Protocol, TypeVar

from analyst import delivery
from analyst.published import read_manifest, triage_of
from flows.run import labels, steps
from flows.run.audit import audited
from flows.run.dbt_runner import what_failed
from flows.run.labels import Labelled
from flows.run.score import land_reasons, score
from flows.run.steps import Run
from flows.run.summary import Enriched, Scored, Summary
from spot_oa.dates import Slice
from spot_oa.errors import SpotOaError, printable
from spot_oa.fingerprint import fingerprint, published_unchanged
from spot_oa.landing import Landed
from spot_oa.lock import warehouse_lock
from spot_oa.pipelines import get_pipeline
from spot_oa.publish import Published, published_folder
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse
from spot_oa.warehouse.tables import triage_tables

T = TypeVar("T")

GRACE = 5.0
"""Seconds that an interrupted run waits for its enrichment steps."""


class Caller(Protocol):
    """How steps are called: plainly, or as Prefect tasks."""

    @property
    def flow_run_id(self) -> str | None:
        """The Prefect flow run; None outside of one."""
        ...

    def call(self, name: str, step: Callable[[], T]) -> T:
        """Run one step to its end."""
        ...

    def call_together(self, steps: Mapping[str, Callable[[], T]]) -> Mapping[str, T]:
        """Run steps side by side to the end of all; the first error is raised."""
        ...


class Reporter(Protocol):
    """Who is told how the run goes."""

    def note(self, message: str) -> None:
        """Something worth a line."""
        ...

    def progress(self, message: str) -> None:
        """Something worth a glance while the step runs."""
        ...

    def started(self, step: str) -> None:
        """A step begins."""
        ...

    def finished(self, step: str, seconds: float, detail: str) -> None:
        """A step has ended well."""
        ...


class PlainCaller:
    """Calls the steps as the functions that they are."""

    flow_run_id = None

    def call(self, name: str, step: Callable[[], T]) -> T:  # noqa: ARG002 - a task's name
        """See `Caller`."""
        return step()

    def call_together(self, steps: Mapping[str, Callable[[], T]]) -> Mapping[str, T]:
        """See `Caller`."""
        futures: dict[str, Future[T]] = {name: Future() for name in steps}
        for name, step in steps.items():
            # Not a pool: its threads would be joined, and to Python 3.11 a thread whose join is
            # interrupted counts as ended.
            threading.Thread(target=_settle, args=(futures[name], step), daemon=True).start()
        try:
            wait(futures.values())
        except BaseException:
            # The interpreter aborts if it ends while a step is in the engine. One that waits for a
            # service may take long: it is left.
            wait(futures.values(), timeout=GRACE)
            raise
        return {name: future.result() for name, future in futures.items()}


def _settle(future: Future[T], step: Callable[[], T]) -> None:
    try:
        future.set_result(step())
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
        future.set_exception(error)


def run_day(
    settings: Settings,
    pipeline: str,
    date: dt.date,
    reporter: Reporter,
    *,
    limit: int | None = None,
    force_enrich: bool = False,
    skip_unchanged: bool = False,
    scorer: str | None = None,
    caller: Caller | None = None,
) -> Summary:
    """Run a pipeline for a date: its slice of every table is replaced and the day published.

    Args:
        settings: The configuration.
        pipeline: The pipeline's name.
        date: The day.
        reporter: Told how it goes.
        limit: How many results to take; the configured number if None.
        force_enrich: Ask enrichment services anew, whatever is cached of their answers.
        skip_unchanged: Leave a published day alone whose inputs and settings are what they were.
        scorer: `builtin` has the day scored first, `file` takes the results that are there; the
            configured one if None.
        caller: Calls the steps; plainly if None.

    Returns:
        What was done.

    Raises:
        SpotOaError: The run failed; the published day is as it was.
    """
    caller = caller or PlainCaller()
    run = _run(settings, pipeline, date, limit, force_enrich=force_enrich)
    part, taken = run.part, run.limit
    summary = _begun(run)
    summary.prepared = settings.misspelt
    for line in settings.misspelt:
        reporter.note(f"warning: {line}")
    with (
        warehouse_lock(settings.lock, f"run {part}", settings.lock_timeout, reporter.note),
        audited(run, summary, caller.flow_run_id, reporter.note) as audit,
    ):
        summary.fingerprint = fingerprint(settings, run.pipeline, part, taken, run.warehouse)
        manifest = _unchanged(run, summary.fingerprint) if skip_unchanged else None
        timer = _Timer(summary, caller, reporter, audit.keep)
        if manifest is None:
            _run_steps(run, summary, timer, scores=(scorer or settings.scorer) == "builtin")
        else:
            summary.unchanged = True
            rows = {name: table["rows"] for name, table in manifest["tables"].items()}
            summary.published = Published(published_folder(settings.data_dir, part), rows)
            _kept(summary, partial(_refresh_if_behind, run, summary, timer))
            if steps.has_triage(run.pipeline):
                steps.notebooks(run, summary)
            if summary.triage_folder:
                _report(run, summary, timer)
            for warning in (*summary.of_labels, *summary.of_notebooks):
                reporter.note(f"warning: {warning}")
    return summary


def refresh_day(
    settings: Settings,
    pipeline: str,
    date: dt.date,
    reporter: Reporter,
    *,
    accept_store: bool = False,
    caller: Caller | None = None,
) -> Summary:
    """Make the triage of a published day anew from what analysts did; no telemetry is read.

    Args:
        settings: The configuration.
        pipeline: The pipeline's name.
        date: The day.
        reporter: Told how it goes.
        accept_store: Take a store that is not the one, or has not all, of the last time.
        caller: Calls the steps; plainly if None.

    Returns:
        What was done.

    Raises:
        SpotOaError: It failed; the published triage is as it was.
    """
    caller = caller or PlainCaller()
    run = _run(settings, pipeline, date, None)
    triage_of(run.pipeline)
    folder = published_folder(settings.data_dir, run.part)
    if read_manifest(folder) is None:
        raise SpotOaError(
            f"{run.part} is not published: `spot-oa run {pipeline} --date {date}` does it"
        )
    summary = _begun(run)
    summary.refreshed = True
    summary.published = Published(folder, {})
    with (
        warehouse_lock(settings.lock, f"refresh {run.part}", settings.lock_timeout, reporter.note),
        audited(run, summary, caller.flow_run_id, reporter.note) as audit,
    ):
        timer = _Timer(summary, caller, reporter, audit.keep)
        _refresh(run, summary, timer, accept_store=accept_store)
        _report(run, summary, timer)
    return summary


def score_day(
    settings: Settings,
    pipeline: str,
    date: dt.date,
    reporter: Reporter,
    *,
    limit: int | None = None,
    caller: Caller | None = None,
) -> Summary:
    """Score a date with the built-in scorer: its results file is replaced, nothing is published.

    Args:
        settings: The configuration.
        pipeline: The pipeline's name.
        date: The day.
        reporter: Told how it goes.
        limit: How many results to write; the configured number if None.
        caller: Calls the steps; plainly if None.

    Returns:
        What was done.

    Raises:
        SpotOaError: It failed; the results file is as it was.
    """
    caller = caller or PlainCaller()
    run = _run(settings, pipeline, date, limit)
    summary = _begun(run)
    with (
        warehouse_lock(settings.lock, f"score {run.part}", settings.lock_timeout, reporter.note),
        audited(run, summary, caller.flow_run_id, reporter.note) as audit,
    ):
        timer = _Timer(summary, caller, reporter, audit.keep)
        _prepare(run, summary, timer)
        _score(run, summary, timer)
    return summary


def is_unchanged(settings: Settings, pipeline: str, date: dt.date, limit: int | None) -> bool:
    """Whether `run_day` would leave the day alone if it is asked to skip unchanged ones.

    Raises:
        SpotOaError: It cannot be told.
    """
    run = _run(settings, pipeline, date, limit)
    digest = fingerprint(settings, run.pipeline, run.part, run.limit, run.warehouse)
    return _unchanged(run, digest) is not None


def _run(
    settings: Settings,
    pipeline: str,
    date: dt.date,
    limit: int | None,
    *,
    force_enrich: bool = False,
) -> Run:
    return Run(
        settings,
        get_pipeline(pipeline, settings.pipelines_dir),
        Slice(pipeline, date),
        settings.limit if limit is None else limit,
        open_warehouse(settings),
        force_enrich,
    )


def _begun(run: Run) -> Summary:
    """What is known of a run before it has done anything."""
    now = dt.datetime.now(dt.UTC)
    return Summary(run.part, uuid.uuid4().hex[:12], run.limit, run.settings.target, now)


def _unchanged(run: Run, digest: str) -> Mapping[str, Any] | None:
    """The manifest of the published day, if a run would read what it was made of."""
    # Without its warehouse the history would stay empty.
    if not run.warehouse.exists():
        return None
    return published_unchanged(published_folder(run.settings.data_dir, run.part), digest)


class _Timer:
    """Calls the steps, and notes when each began and how long it took."""

    def __init__(
        self, summary: Summary, caller: Caller, reporter: Reporter, keep: Callable[[], None]
    ) -> None:
        self._summary = summary
        self._keep = keep
        self.caller = caller
        self.reporter = reporter

    def timed(
        self, name: str, step: Callable[[], T], describe: Callable[[T], str]
    ) -> Callable[[], T]:
        """The step, with the time taken."""

        def call() -> T:
            self._summary.begun.append(name)
            self._keep()
            self.reporter.started(name)
            begin = time.perf_counter()
            result = step()
            self._summary.seconds[name] = time.perf_counter() - begin
            self.reporter.finished(name, self._summary.seconds[name], describe(result))
            return result

        return call

    def call(self, name: str, step: Callable[[], T], describe: Callable[[T], str]) -> T:
        """Run one step to its end."""
        return self.caller.call(name, self.timed(name, step, describe))


def _prepare(run: Run, summary: Summary, timer: _Timer) -> steps.Prepared:
    prepared = timer.call("prepare", partial(steps.prepare, run), lambda _: "sources read")
    summary.prepared = [*run.settings.misspelt, *prepared.warnings]
    summary.has_telemetry = prepared.has_telemetry
    summary.telemetry = prepared.telemetry
    return prepared


def _score(run: Run, summary: Summary, timer: _Timer) -> None:
    if not summary.has_telemetry:
        raise SpotOaError(
            f"{run.part}: no telemetry, nothing to score; the results file stays as it was"
        )
    summary.scored = timer.call(
        "score", partial(score, run, timer.reporter.progress), _describe_scored
    )


def _describe_scored(scored: Scored) -> str:
    return f"{scored.rows} rows, {scored.days} earlier days, to {scored.uri}"


def _land(run: Run, summary: Summary, timer: _Timer) -> Landed:
    def land() -> Landed:
        landed = steps.land(run, timer.reporter.progress)
        summary.reasons = land_reasons(run, landed)
        return landed

    return timer.call(
        "land", land, lambda landed: f"{landed.rows} rows, {landed.rejected} rejected"
    )


def _run_steps(run: Run, summary: Summary, timer: _Timer, *, scores: bool) -> None:
    prepared = _prepare(run, summary, timer)
    if scores:
        _score(run, summary, timer)
        # The results file is another now.
        summary.fingerprint = fingerprint(
            run.settings, run.pipeline, run.part, run.limit, run.warehouse
        )
    summary.landed = _land(run, summary, timer)
    enrichment = {
        name: timer.timed(name, partial(steps.enrich, run, name, enricher), _describe_enriched)
        for name, enricher in prepared.enrichers.items()
    }
    together: dict[str, Callable[[], Enriched | Labelled | None]] = {**enrichment}
    if steps.has_triage(run.pipeline):
        landing = partial(_kept, summary, partial(labels.land, run))
        labelling = timer.timed("labels", landing, _describe_labels)
        together["labels"] = labelling
    done = timer.caller.call_together(together)
    summary.enriched.update(
        {name: made for name, made in done.items() if isinstance(made, Enriched)}
    )
    labelled = done.get("labels")
    summary.built = timer.call(
        "dbt build",
        # Without this time's labels the ones of the last time would meet other results.
        partial(steps.build, run, timer.reporter.progress, triage=labelled is not None),
        lambda built: f"{built.models} models, {built.tests_passed} tests passed",
    )
    summary.published = timer.call(
        "publish",
        partial(steps.publish, run, summary),
        lambda published: f"to {published.folder}",
    )
    if summary.built.failed:
        summary.unlabelled = what_failed(summary.built.failed, run.settings)
    elif isinstance(labelled, Labelled):
        _kept(summary, partial(_publish_triage, run, summary, timer, labelled))
        # Somebody may have scored while the run held the lock: once more, but no oftener.
        _kept(summary, partial(_refresh_if_behind, run, summary, timer))
    _notebooks(run, summary, timer)
    _report(run, summary, timer)


def _notebooks(run: Run, summary: Summary, timer: _Timer) -> None:
    if steps.has_triage(run.pipeline):
        # As the report, no task of Prefect's.
        timer.timed("notebooks", partial(steps.notebooks, run, summary), str)()


def _report(run: Run, summary: Summary, timer: _Timer) -> None:
    if run.settings.reports:
        # No task of Prefect's: there is nothing in it to be tried again.
        timer.timed("report", partial(steps.report, run, summary), str)()


def _kept(summary: Summary, step: Callable[[], T]) -> T | None:
    """What a step about labels gives, or None and a warning: a day does not fail for them."""
    try:
        return step()
    except SpotOaError as error:
        summary.unlabelled = printable(error)
        return None


def _refresh_if_behind(run: Run, summary: Summary, timer: _Timer) -> None:
    if labels.is_behind(run.settings, run.pipeline, run.part):
        _refresh(run, summary, timer)


def _refresh(run: Run, summary: Summary, timer: _Timer, *, accept_store: bool = False) -> None:
    run.warehouse.prepare(list(triage_tables(run.pipeline).values()))
    labelled = timer.call(
        "labels", partial(labels.land, run, accept_store=accept_store), _describe_labels
    )
    built = timer.call(
        "dbt build",
        partial(steps.build_triage, run, timer.reporter.progress),
        lambda built: f"{built.models} models, {built.tests_passed} tests passed",
    )
    summary.built = summary.built or built
    _publish_triage(run, summary, timer, labelled)


def _publish_triage(run: Run, summary: Summary, timer: _Timer, labelled: Labelled) -> None:
    summary.triage_folder = timer.call(
        "publish triage", partial(labels.publish, run, labelled), lambda folder: f"to {folder}"
    )
    if not delivery.delivers(run.settings, run.pipeline):
        return
    try:
        timer.call(
            "feedback",
            partial(delivery.deliver_feedback, run.settings, run.pipeline, run.part.date),
            lambda delivered: f"to {' and '.join(uri for uri, _ in delivered)}",
        )
    except SpotOaError as error:
        summary.undelivered = printable(error)


def _describe_labels(labelled: Labelled | None) -> str:
    if labelled is None:
        return "left as they were"
    return f"{len(labelled.snapshot.actions)} actions, {labelled.orphans} rows that are gone"


def _describe_enriched(enriched: Enriched) -> str:
    return ", ".join(f"{rows} rows of {table}" for table, rows in enriched.rows.items())
