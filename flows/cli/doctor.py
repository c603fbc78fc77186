"""What is configured, what can be reached, what is missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import python_enrichers
from python_enrichers.base import Indicators, Outcome, Status
from spot_oa.errors import SpotOaError
from spot_oa.landing import newest_results, without_userinfo
from spot_oa.lock import warehouse_lock
from spot_oa.pipelines import Pipeline, load_pipelines
from spot_oa.publish import newest_published
from spot_oa.settings import Settings
from spot_oa.warehouse import Warehouse, open_warehouse
from spot_oa.warehouse.tables import python_tables

PROBE: Indicators = {"address": ["127.0.0.1"]}
"""What local sources are asked about: never sent further than to the operator's own resolver."""


def examine(settings: Settings) -> Iterator[tuple[bool, str]]:
    """Look at every part that a run needs.

    Args:
        settings: The configuration.

    Yields:
        Whether the part is usable, and what was found, in one line.
    """
    yield True, f"home {settings.home}, target {settings.target}, limit {settings.limit}"
    project = settings.project_dir / "dbt_project.yml"
    yield project.is_file(), f"dbt project {project}"
    pipelines = load_pipelines(settings.pipelines_dir)
    warehouse = open_warehouse(settings)
    yield _warehouse(settings, pipelines)
    for pipeline in pipelines.values():
        yield _telemetry(settings, warehouse, pipeline)
        yield _newest(
            f"ML results of {pipeline.name} below {without_userinfo(settings.ml_uri)}",
            partial(newest_results, pipeline, settings.ml_uri),
        )
        yield _newest(
            f"published days of {pipeline.name} below {settings.data_dir}",
            partial(newest_published, settings.data_dir, pipeline.name),
        )
    for step in python_enrichers.STEPS:
        yield from _sources(settings, step)


def _sources(settings: Settings, step: str) -> Iterator[tuple[bool, str]]:
    """Each source of a step: whether it can be reached, its age, the budget that is left."""
    try:
        if step == "reputation":
            from python_enrichers.reputation import examine as services  # noqa: PLC0415 - heavy

            outcomes: Sequence[Outcome] = list(services.examine(settings))
        else:
            enricher = python_enrichers.load_enricher(step, settings, fresh=True)
            outcomes = enricher.enrich(PROBE).outcomes
    except SpotOaError as error:
        yield False, f"sources of {step}: {error}"
        return
    yield True, f"sources of {step}: {len(outcomes) or 'none configured'}"
    for outcome in outcomes:
        usable = outcome.status in (Status.OK, Status.PARTIAL)
        state = "" if outcome.status is Status.OK else f"{outcome.status}, "
        yield usable, f"  {outcome.source}: {state}{outcome.detail}"


def _warehouse(settings: Settings, pipelines: Mapping[str, Pipeline]) -> tuple[bool, str]:
    """Whether the warehouse can be used, without getting in the way of a run."""
    name = str(settings.warehouse) if settings.target == "duckdb" else f"on {settings.target}"
    warehouse = open_warehouse(settings)
    try:
        there = warehouse.exists()
    except SpotOaError as error:
        return False, f"warehouse {name}: {error}"
    if not there:
        return True, f"warehouse {name}: to be made by the first run"
    try:
        with warehouse_lock(settings.lock, "doctor", 0, lambda _: None):
            warehouse.prepare(python_tables(pipelines))
    except SpotOaError as error:
        return error.transient, f"warehouse {name}: {error}"
    return True, f"warehouse {name}"


def _telemetry(settings: Settings, warehouse: Warehouse, pipeline: Pipeline) -> tuple[bool, str]:
    """The newest day of telemetry, and which columns its newest file has."""
    what = f"telemetry of {pipeline.name} {_place(settings, pipeline.name)}"
    try:
        day = warehouse.newest_telemetry(pipeline)
        usable, line = _newest(what, lambda: day)
        if day is None:
            return usable, line
        found = warehouse.telemetry_columns(pipeline, day)
    except SpotOaError as error:
        return False, f"{what}: {error}"
    described = pipeline.telemetry
    missing = [name for name in described.columns if name not in found]
    lacking = f", missing {', '.join(missing)}" if missing else ""
    columns = f"columns {len(described.columns) - len(missing)} of {len(described.columns)}"
    return set(described.needed).isdisjoint(missing), f"{line}, {columns}{lacking}"


def _place(settings: Settings, pipeline: str) -> str:
    if settings.target == "duckdb":
        return f"below {settings.raw_uri}"
    return f"in {settings.telemetry_table(pipeline)}"


def _newest(what: str, look: Callable[[], dt.date | None]) -> tuple[bool, str]:
    """The newest day that is there, and how old it is; too old is for the reader to say."""
    try:
        day = look()
    except SpotOaError as error:
        return False, f"{what}: {error}"
    if day is None:
        return True, f"{what}: none yet"
    age = (dt.datetime.now(dt.UTC).date() - day).days
    return True, f"{what}: newest {day}, {age} days ago"
