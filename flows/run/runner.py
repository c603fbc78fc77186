"""Runs the steps of a day in order; a `Caller` executes them, plainly or as Prefect tasks."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

from analyst import delivery
from analyst.pictures.text import many
from analyst.published import read_manifest, triage_of
from flows.run import labels, steps
from flows.run.audit import audited
from flows.run.dbt_runner import Built, what_failed
from flows.run.labels import Labelled
from flows.run.score import land_reasons, score
from flows.run.steps import Run
from flows.run.stories import investigate
from flows.run.summary import Enriched, Scored, Summary
from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, SpotOaError, printable
from spot_oa.fingerprint import fingerprint, published_unchanged
from spot_oa.landing import Landed
from spot_oa.lock import warehouse_lock
from spot_oa.pipelines import get_pipeline
from spot_oa.publish import Published, published_folder
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse
from spot_oa.warehouse.tables import results_table, triage_tables

T = TypeVar("T")

GRACE = 5.0
"""Seconds that an interrupted run waits for its enrichment steps to end."""


class Caller(Protocol):
    """Executes steps: plainly, or as Prefect tasks."""

    @property
    def flow_run_id(self) -> str | None:
        """The Prefect flow run; None outside of one."""
        ...

    def call(self, name: str, step: Callable[[], T]) -> T:
        """Run one step to its end."""
        ...

    def call_together(self, steps: Mapping[str, Callable[[], T]]) -> Mapping[str, T]:
        """Run steps in parallel until all have ended; raise the first error."""
        ...


class Reporter(Protocol):
    """Receives the progress of a run."""

    def note(self, message: str) -> None:
        """Report a message that is worth a line."""
        ...

    def progress(self, message: str) -> None:
        """Report the progress within a step."""
        ...

    def started(self, step: str) -> None:
        """Report that a step begins."""
        ...

    def finished(self, step: str, seconds: float, detail: str) -> None:
        """Report that a step has succeeded."""
        ...


class PlainCaller:
    """Executes the steps as plain function calls."""

    flow_run_id = None

    def call(self, name: str, step: Callable[[], T]) -> T:  # noqa: ARG002 - a task's name
        """See `Caller`."""
        return step()

    def call_together(self, steps: Mapping[str, Callable[[], T]]) -> Mapping[str, T]:
        """See `Caller`."""
        futures: dict[str, Future[T]] = {name: Future() for name in steps}
        for name, step in steps.items():
            # Not a pool: it would join its threads, and in Python 3.11 a thread whose join was
            # interrupted counts as ended.
            threading.Thread(target=_settle, args=(futures[name], step), daemon=True).start()
        try:
            wait(futures.values())
        except BaseException:
            # The interpreter aborts if it ends while a step uses the engine. A step that waits for
            # a service may take long: do not wait for it.
            wait(futures.values(), timeout=GRACE)
            raise
        return {name: future.result() for name, future in futures.items()}


def _settle(future: Future[T], step: Callable[[], T]) -> None:
    try:
        future.set_result(step())
    except BaseException as error:  # noqa: BLE001 - raised again by `Future.result`
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
        reporter: Receives the progress.
        limit: Maximum number of results; the configured number if None.
        force_enrich: Query enrichment services again, ignoring cached answers.
        skip_unchanged: Skip a published day whose inputs and settings have not changed.
        scorer: `builtin` scores the day first, `file` reads the existing results; the configured
            scorer if None.
        caller: Executes the steps; `PlainCaller` if None.

    Returns:
        The summary of the run.

    Raises:
        SpotOaError: The run failed; the published day has not changed.
    """
    run = _run(settings, pipeline, date, limit, force_enrich=force_enrich)
    part, taken = run.part, run.limit
    summary = _begun(run)
    summary.prepared = settings.misspelt
    for line in settings.misspelt:
        reporter.note(f"warning: {line}")
    with _holding(run, "run", summary, caller, reporter) as timer:
        summary.fingerprint = fingerprint(settings, run.pipeline, part, taken, run.warehouse)
        manifest = _unchanged(run, summary.fingerprint) if skip_unchanged else None
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
    """Rebuild the triage of a published day from the analysts' actions.

    Telemetry is read only if the day has stories.

    Args:
        settings: The configuration.
        pipeline: The pipeline's name.
        date: The day.
        reporter: Receives the progress.
        accept_store: Accept another store, or one that lacks published actions.
        caller: Executes the steps; `PlainCaller` if None.

    Returns:
        The summary of the refresh.

    Raises:
        SpotOaError: The refresh failed; the published triage has not changed.
    """
    run = _run(settings, pipeline, date, None)
    triage_of(run.pipeline)
    folder = published_folder(settings.data_dir, run.part)
    if read_manifest(folder) is None:
        raise SpotOaError(
            f"{run.part} is not published: run `spot-oa run {pipeline} --date {date}`"
        )
    summary = _begun(run)
    summary.refreshed = True
    summary.published = Published(folder, {})
    with _holding(run, "refresh", summary, caller, reporter) as timer:
        _refresh(run, summary, timer, accept_store=accept_store)
        _kept(summary, partial(_refresh_if_behind, run, summary, timer))
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
    """Score a date with the built-in scorer: replace its results file, publish nothing.

    Args:
        settings: The configuration.
        pipeline: The pipeline's name.
        date: The day.
        reporter: Receives the progress.
        limit: Maximum number of results; the configured number if None.
        caller: Executes the steps; `PlainCaller` if None.

    Returns:
        The summary of the scoring.

    Raises:
        SpotOaError: The scoring failed; the results file has not changed.
    """
    run = _run(settings, pipeline, date, limit)
    summary = _begun(run)
    with _holding(run, "score", summary, caller, reporter) as timer:
        _prepare(run, summary, timer)
        _score(run, summary, timer)
    return summary


def is_unchanged(settings: Settings, pipeline: str, date: dt.date, limit: int | None) -> bool:
    """Whether `run_day` with `skip_unchanged` would skip the day.

    Raises:
        SpotOaError: The inputs cannot be read.
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
    project = settings.project_dir / "dbt_project.yml"
    if not project.is_file():
        raise ConfigError(
            f"{printable(project)}: no such file; correct or unset SPOT_OA_PROJECT_DIR"
        )
    return Run(
        settings,
        get_pipeline(pipeline, settings.pipelines_dir),
        Slice(pipeline, date),
        settings.limit if limit is None else limit,
        open_warehouse(settings),
        force_enrich,
    )


def _begun(run: Run) -> Summary:
    """Return the summary of a run that has just begun."""
    now = dt.datetime.now(dt.UTC)
    return Summary(run.part, uuid.uuid4().hex[:12], run.limit, run.settings.target, now)


def _unchanged(run: Run, digest: str) -> Mapping[str, Any] | None:
    """Return the manifest of the published day, if its inputs have not changed."""
    # Without its warehouse the history would stay empty.
    if not run.warehouse.exists():
        return None
    return published_unchanged(published_folder(run.settings.data_dir, run.part), digest)


class _Timer:
    """Executes the steps, and records their order and duration."""

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
        """Return the step wrapped so that its duration is recorded."""

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


@contextmanager
def _holding(
    run: Run, what: str, summary: Summary, caller: Caller | None, reporter: Reporter
) -> Iterator[_Timer]:
    """Hold the lock and write the audit while the steps of a run are executed.

    Yields:
        The timer that executes the steps.
    """
    caller = caller or PlainCaller()
    settings = run.settings
    with (
        warehouse_lock(settings.lock, f"{what} {run.part}", settings.lock_timeout, reporter.note),
        audited(run, summary, caller.flow_run_id, reporter.note) as audit,
    ):
        yield _Timer(summary, caller, reporter, audit.keep)


def _prepare(run: Run, summary: Summary, timer: _Timer) -> steps.Prepared:
    prepared = timer.call("prepare", partial(steps.prepare, run), lambda _: "sources read")
    summary.prepared = [*run.settings.misspelt, *prepared.warnings]
    summary.has_telemetry = prepared.has_telemetry
    summary.telemetry = prepared.telemetry
    return prepared


def _score(run: Run, summary: Summary, timer: _Timer) -> None:
    if not summary.has_telemetry:
        raise SpotOaError(
            f"{run.part}: no telemetry, nothing to score; the results file was not changed"
        )
    summary.scored = timer.call(
        "score", partial(score, run, timer.reporter.progress), _describe_scored
    )


def _describe_scored(scored: Scored) -> str:
    return f"{scored.rows} rows, {many(scored.days, 'earlier day')}, to {scored.uri}"


def _describe_built(built: Built | None) -> str:
    return f"{built.models} models, {built.tests_passed} tests passed" if built else ""


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
        # The results file has changed.
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
        # Without the new labels, the previous ones would be joined to other results.
        partial(steps.build, run, timer.reporter.progress, triage=labelled is not None),
        _describe_built,
    )
    summary.published = timer.call(
        "publish",
        partial(steps.publish, run, summary),
        lambda published: f"to {published.folder}",
    )
    if summary.built.failed:
        summary.unlabelled = what_failed(summary.built.failed, run.settings)
        labelled = None
    if isinstance(labelled, Labelled):
        _kept(summary, partial(_publish_triage, run, summary, timer, labelled))
    _notebooks(run, summary, timer)
    if labelled is not None:
        _kept(summary, partial(_refresh_if_behind, run, summary, timer))
    _report(run, summary, timer)


def _notebooks(run: Run, summary: Summary, timer: _Timer) -> None:
    if steps.has_triage(run.pipeline):
        # Not a Prefect task, like the report.
        timer.timed("notebooks", partial(steps.notebooks, run, summary), str)()


def _report(run: Run, summary: Summary, timer: _Timer) -> None:
    if run.settings.reports:
        # Not a Prefect task: a retry would not help.
        timer.timed("report", partial(steps.report, run, summary), str)()


def _kept(summary: Summary, step: Callable[[], T]) -> T | None:
    """Return the result of a step for labels, or None and a warning: it cannot fail a day."""
    try:
        return step()
    except SpotOaError as error:
        summary.unlabelled = printable(error)
        return None


def _refresh_if_behind(run: Run, summary: Summary, timer: _Timer) -> None:
    """Refresh once more, but only once, if analysts scored while the lock was held."""
    if labels.is_behind(run.settings, run.pipeline, run.part):
        _refresh(run, summary, timer)


def _refresh(run: Run, summary: Summary, timer: _Timer, *, accept_store: bool = False) -> None:
    run.warehouse.prepare([results_table(run.pipeline), *triage_tables(run.pipeline).values()])
    labels.check_published(run)
    labelled = timer.call(
        "labels", partial(labels.land, run, accept_store=accept_store), _describe_labels
    )
    built = timer.call(
        "dbt build",
        partial(steps.build_triage, run, timer.reporter.progress),
        _describe_built,
    )
    summary.built = summary.built or built
    _publish_triage(run, summary, timer, labelled)


def _publish_triage(run: Run, summary: Summary, timer: _Timer, labelled: Labelled) -> None:
    if labelled.stories or labelled.had_stories:
        _investigate(run, summary, timer)
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


def _investigate(run: Run, summary: Summary, timer: _Timer) -> None:
    """Build the tables of the day's stories; they become empty if it has no stories any more."""
    # A refresh has not exposed the telemetry yet, and the views may show another day.
    exposed = run.warehouse.expose_telemetry(run.pipeline, [run.part.date])
    if exposed.without:
        summary.of_stories = f"no telemetry for {run.part.date}"
    timer.call(
        "stories",
        partial(investigate, run, timer.reporter.progress, has_telemetry=not exposed.without),
        _describe_built,
    )


def _describe_labels(labelled: Labelled | None) -> str:
    if labelled is None:
        return "not updated"
    return f"{len(labelled.snapshot.actions)} actions, {labelled.orphans} on missing rows"


def _describe_enriched(enriched: Enriched) -> str:
    return ", ".join(f"{rows} rows of {table}" for table, rows in enriched.rows.items())
