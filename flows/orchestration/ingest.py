"""The Prefect flow that ingests the configured logs."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from prefect import flow, runtime, task
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed
from pydantic import Field

from flows.cli import ingest as shown
from flows.orchestration.secret_blocks import settings_with_secrets
from flows.orchestration.tasks import is_transient
from spot_oa.errors import printable
from spot_oa.ingest import Ingest
from spot_oa.ingest.delivery import deliver
from spot_oa.ingest.status import sensors

Again = Annotated[bool, Field(description="Ingest known files again, replacing their rows.")]


def _run_name() -> str:
    scheduled = runtime.flow_run.scheduled_start_time or dt.datetime.now(dt.UTC)
    return f"ingest {scheduled:%Y-%m-%d %H}"


@flow(name="ingest", flow_run_name=_run_name)
def ingest_hourly(
    names: Annotated[
        list[str] | None, Field(description="Some of the configured inputs; default: all.")
    ] = None,
    again: Annotated[
        bool, Field(description="Ingest known files again, replacing their rows.")
    ] = False,
) -> State[Any]:
    """Convert the configured logs to telemetry; a failed input does not stop the others.

    Known files are not ingested again.

    Args:
        names: Some of the inputs set by SPOT_OA_INGEST__...; default: all.
        again: Ingest known files again, replacing their rows.
    """
    settings = settings_with_secrets()
    delays = list(settings.retry_delays)
    retried: dict[str, Any] = {
        "retries": len(delays),
        "retry_delay_seconds": delays or 0,
        "retry_condition_fn": is_transient,
    }
    failed = []
    for name in names or settings.ingest:
        take = _take.with_options(task_run_name=name, **retried)
        state = take(name, again=again, return_state=True)
        if not state.is_completed():
            failed.append(f"{name}: {state.message}")
    if settings.ingest_uri:
        state = _deliver.with_options(task_run_name="delivery", **retried)(return_state=True)
        if not state.is_completed():
            failed.append(f"delivery: {state.message}")
    rows = shown.status_rows(sensors(settings), dt.datetime.now(dt.UTC))
    create_table_artifact(
        [dict(zip(shown.STATUS_COLUMNS, row, strict=True)) for row in rows],
        key="ingest-status",
        description="How far the logs of each sensor reach",
    )
    if failed:
        return Failed(message=printable(f"{len(failed)} failed: {' | '.join(failed)}"))
    return Completed(message=f"{len(names or settings.ingest)} inputs ingested")


@task(name="ingest-input")
def _take(name: str, *, again: bool) -> None:
    logger = get_run_logger()
    settings = settings_with_secrets()
    given, paths = shown.configured(settings, name)
    found = []
    options = shown.options_of(given, again=again)
    for result in Ingest(settings, given.source, options).take_all(paths):
        found.append(result)
        for line in shown.lines(result):
            logger.info("%s: %s", name, printable(line))
    for line in shown.late(found):
        logger.warning("%s: %s", name, line)
    for result in found:
        if result.status == "failed":
            logger.error("%s: %s", name, printable(result.error))
    shown.judge(found, given.source)


@task(name="ingest-delivery")
def _deliver() -> None:
    done = deliver(settings_with_secrets())
    for line in shown.delivered(done) if done else ():
        get_run_logger().info("%s", line)
