"""Checks what is configured, what can be reached, and what is missing."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial

import python_enrichers
from analyst.feedback import COLUMNS, SPOILS_THE_SCORER
from analyst.standing import load_rules
from analyst.store import open_store
from analyst.suppressions import HIT_DAYS, hits, standing
from flows.cli.ingest import configured
from flows.run.labels import pending
from flows.run.tables import python_tables
from python_enrichers.base import Indicators, Outcome, Status
from spot_oa.errors import SpotOaError, without_userinfo
from spot_oa.ingest.status import sensors
from spot_oa.landing import newest_results
from spot_oa.lock import warehouse_lock
from spot_oa.pipelines import Pipeline, load_pipelines
from spot_oa.publish import newest_published
from spot_oa.settings import Settings
from spot_oa.sources import load_sources
from spot_oa.warehouse import Warehouse, open_warehouse


class State(StrEnum):
    """The state of a part; it is false if it would make a run fail."""

    OK = "ok"
    LOCKED = "locked"
    """In use: a run would wait or retry."""
    MISSING = "missing"
    UNREACHABLE = "unreachable"
    UNUSABLE = "unusable"
    UNKNOWN = "unknown"
    """A variable that looks like a setting but is not one."""

    def __bool__(self) -> bool:
        return self in (State.OK, State.LOCKED)


Finding = tuple[State, str]
STATES = {
    Status.OK: State.OK,
    Status.PARTIAL: State.OK,
    Status.UNAVAILABLE: State.UNREACHABLE,
    Status.TIMEOUT: State.UNREACHABLE,
}
"""Status of a source -> its state; unusable for any other status."""
PROBE: Indicators = {"address": ["127.0.0.1"]}
"""The test query for local sources: never sent further than to the operator's own resolver."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Check every part that a run needs.

    Args:
        settings: The configuration.

    Yields:
        The state of a part, and one line about it.
    """
    for line in settings.misspelt:
        yield State.UNKNOWN, line
    yield State.OK, f"home {settings.home}, target {settings.target}, limit {settings.limit}"
    project = settings.project_dir / "dbt_project.yml"
    yield State.OK if project.is_file() else State.MISSING, f"dbt project {project}"
    pipelines = load_pipelines(settings.pipelines_dir)
    warehouse = open_warehouse(settings)
    yield _warehouse(settings, pipelines)
    for pipeline in pipelines.values():
        yield _telemetry(settings, warehouse, pipeline)
        yield _results(settings, pipeline)
        yield _newest(
            f"published days of {pipeline.name} below {settings.data_dir}",
            partial(newest_published, settings.data_dir, pipeline.name),
        )
    yield from _logs(settings)
    yield from _labels(settings, pipelines)
    for step in python_enrichers.STEPS:
        yield from _sources(settings, step)


def _results(settings: Settings, pipeline: Pipeline) -> Finding:
    """Check the newest results and the scorer that writes them."""
    what = f"ML results of {pipeline.name} below {without_userinfo(settings.ml_uri)}"
    if settings.scorer == "builtin":
        what = f"{what} (built-in scorer)"
        if pipeline.scoring is None:
            return State.UNUSABLE, f"{what}: not available for it; set SPOT_OA_SCORER=file"
    state, line = _newest(what, partial(newest_results, pipeline, settings.ml_uri))
    nothing = not state or line.endswith("none yet")
    if nothing and settings.scorer == "builtin":
        return State.OK, f"{what}: none yet"
    if nothing and pipeline.scoring is not None:
        return state, f"{line}; with SPOT_OA_SCORER=builtin, runs score their days themselves"
    return state, line


def _sources(settings: Settings, step: str) -> Iterator[Finding]:
    """Check each source of a step: whether it can be reached, its age, its remaining budget."""
    try:
        if step == "reputation":
            from python_enrichers.reputation import examine as services  # noqa: PLC0415 - heavy

            outcomes: Sequence[Outcome] = list(services.examine(settings))
        else:
            enricher = python_enrichers.load_enricher(step, settings, fresh=True)
            outcomes = enricher.enrich(PROBE).outcomes
    except SpotOaError as error:
        yield _fault(error, State.UNUSABLE), f"sources of {step}: {error}"
        return
    yield State.OK, f"sources of {step}: {len(outcomes) or 'none configured'}"
    for outcome in outcomes:
        status = "" if outcome.status is Status.OK else f"{outcome.status}, "
        state = STATES.get(outcome.status, State.UNUSABLE)
        yield state, f"  {outcome.source}: {status}{outcome.detail}"


def _fault(error: SpotOaError, otherwise: State) -> State:
    """Return `unreachable` for a transient error, else the given state."""
    return State.UNREACHABLE if error.transient else otherwise


def _logs(settings: Settings) -> Iterator[Finding]:
    """Check each configured input of ingest, and the newest event of each sensor."""
    try:
        known = load_sources(settings.sources_dir)
    except SpotOaError as error:
        yield _fault(error, State.UNUSABLE), str(error)
        return
    for name, given in settings.ingest.items():
        _, paths = configured(settings, name)
        what = f"logs {name} ({given.source}/{given.sensor})"
        unreadable = [path for path in paths if not os.access(path, os.R_OK)]
        if given.source not in known:
            yield (
                State.UNUSABLE,
                f"{what}: there is no source {given.source}: use {', '.join(known)}",
            )
        elif unreadable:
            yield State.MISSING, f"{what}: {unreadable[0]} does not exist or cannot be read"
        else:
            yield State.OK if paths else State.MISSING, f"{what}: {len(paths)} paths"
    if settings.target != "duckdb":
        return
    try:
        found = sensors(settings)
    except SpotOaError as error:
        yield _fault(error, State.UNUSABLE), f"ingested logs: {error}"
        return
    for sensor in found:
        ends = ", ".join(f"{name} {when:%Y-%m-%d %H:%M}" for name, when in sensor.newest.items())
        share = f", {100 * sensor.refused / sensor.lines:.2f} % refused" if sensor.lines else ""
        yield State.OK, f"logs of {sensor.name}: newest {ends or 'none'}{share}"


def _labels(settings: Settings, pipelines: Mapping[str, Pipeline]) -> Iterator[Finding]:
    """Check the analysts' store, the rule files, outdated triage, and the feedback."""
    what = f"labels in {settings.analyst_db}"
    store = open_store(settings)
    try:
        store.check_place()
        count = store.count()
        behind = pending(settings, pipelines.values())
    except SpotOaError as error:
        yield _fault(error, State.UNUSABLE), f"{what}: {error}"
    else:
        late = f", {len(behind)} days to refresh: `spot-oa refresh --pending`" if behind else ""
        yield State.OK, f"{what}: {count or 'no'} actions{late}"
    labelled = {name: each for name, each in pipelines.items() if each.triage}
    for name, pipeline in labelled.items():
        try:
            rules = load_rules(settings, pipeline)
        except SpotOaError as error:
            yield State.UNUSABLE, str(error)
        else:
            if rules:
                on = sum(rule.enabled for rule in rules)
                yield State.OK, f"rules of {name} in {settings.rules_dir}: {len(rules)}, {on} on"
    yield from _suppressions(settings, labelled)
    given = [name for name in settings.feedback_pipelines if name in COLUMNS]
    if not settings.feedback_uri:
        yield State.OK, "feedback to the scorer: off, SPOT_OA_FEEDBACK_URI is not set"
        return
    uri = without_userinfo(settings.feedback_uri)
    yield State.OK, f"feedback to the scorer of {', '.join(given) or 'nothing'}: below {uri}"
    for name in SPOILS_THE_SCORER:
        ends = "spot-ml 1.0 fails at the first Low row"
        if name in given:
            yield State.OK, f"feedback of {name}: {ends}; a fixed reader is needed"
        else:
            yield State.OK, f"feedback of {name}: not delivered, because {ends} (docs/labels.md)"


def _suppressions(settings: Settings, pipelines: Iterable[str]) -> Iterator[Finding]:
    """Report the suppressions in effect today, and which of them covered no row recently."""
    today = dt.datetime.now(dt.UTC).date()
    for name in pipelines:
        try:
            kept = standing(open_store(settings).undated(name))
        except SpotOaError as error:
            yield _fault(error, State.UNUSABLE), f"suppressions of {name}: {error}"
            continue
        acting = [each for each in kept if each.holds_on(today)]
        if acting:
            covered = hits(settings, name)
            idle = [each.short_id for each in acting if not covered[each.id]]
            useless = f", without a row in {HIT_DAYS} days: {', '.join(idle)}" if idle else ""
            yield State.OK, f"suppressions of {name}: {len(acting)} in effect today{useless}"


def _warehouse(settings: Settings, pipelines: Mapping[str, Pipeline]) -> Finding:
    """Check whether the warehouse can be used, without disturbing a run."""
    name = str(settings.warehouse) if settings.target == "duckdb" else f"on {settings.target}"
    warehouse = open_warehouse(settings)
    try:
        if not warehouse.exists():
            return State.OK, f"warehouse {name}: will be created by the first run"
    except SpotOaError as error:
        return _fault(error, State.UNUSABLE), f"warehouse {name}: {error}"
    # A file that another program has open counts as locked too.
    passing = State.LOCKED
    try:
        with warehouse_lock(settings.lock, "doctor", 0, lambda _: None):
            if settings.target != "duckdb":
                passing = State.UNREACHABLE
            warehouse.prepare(python_tables(pipelines))
    except SpotOaError as error:
        return passing if error.transient else State.UNUSABLE, f"warehouse {name}: {error}"
    return State.OK, f"warehouse {name}"


def _telemetry(settings: Settings, warehouse: Warehouse, pipeline: Pipeline) -> Finding:
    """Check the newest day of telemetry, and the columns of its newest file."""
    what = f"telemetry of {pipeline.name} {_place(settings, pipeline.name)}"
    try:
        day = warehouse.newest_telemetry(pipeline)
        usable, line = _newest(what, lambda: day)
        if day is None:
            return usable, line
        found = warehouse.telemetry_columns(pipeline, day)
    except SpotOaError as error:
        return _fault(error, State.MISSING), f"{what}: {error}"
    described = pipeline.telemetry
    missing = [name for name in described.columns if name not in found]
    lacking = f", missing {', '.join(missing)}" if missing else ""
    columns = f"columns {len(described.columns) - len(missing)} of {len(described.columns)}"
    state = usable if set(described.needed).isdisjoint(missing) else State.UNUSABLE
    return state, f"{line}, {columns}{lacking}"


def _place(settings: Settings, pipeline: str) -> str:
    if settings.target == "duckdb":
        return f"below {settings.raw_uri}"
    return f"in {settings.telemetry_table(pipeline)}"


def _newest(what: str, look: Callable[[], dt.date | None]) -> Finding:
    """Report the newest existing day and its age, without judging the age."""
    try:
        day = look()
    except SpotOaError as error:
        return _fault(error, State.MISSING), f"{what}: {error}"
    if day is None:
        return State.OK, f"{what}: none yet"
    age = (dt.datetime.now(dt.UTC).date() - day).days
    return State.OK, f"{what}: newest {day}, {age} days ago"
