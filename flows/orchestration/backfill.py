"""The Prefect flow that runs pipelines over a range of dates."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from flows.orchestration.parameters import Limit, PipelineName, RunDate, Scorer
from flows.orchestration.tasks import run_as_flow, run_name, unchanged
from spot_oa.dates import date_range
from spot_oa.errors import UsageError
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import load_settings


@flow(name="oa-day", flow_run_name=run_name())
def oa_day(
    pipeline: str, date: dt.date, limit: int | None, force: bool, scorer: str | None = None
) -> State[Any]:
    """One pipeline and day of a backfill."""
    return run_as_flow(pipeline, date, limit, skip_unchanged=not force, scorer=scorer)


@flow(name="oa-backfill", flow_run_name="backfill {date_from} to {date_to}")
def oa_backfill(  # noqa: PLR0917 - Prefect calls it by name
    date_from: RunDate,
    date_to: RunDate,
    pipelines: list[PipelineName] | None = None,
    limit: Limit | None = None,
    force: Annotated[bool, Field(description="Also run unchanged days again.")] = False,
    scorer: Scorer | None = None,
) -> State[Any]:
    """Run pipelines for every date of a range, in order.

    A failed day does not stop the others. Days whose inputs and settings have not changed since
    they were published are skipped, so a stopped backfill continues where it stopped.

    Args:
        date_from: The first day, 2016-07-08 or 20160708 (UTC).
        date_to: The last day, included.
        pipelines: Some of the pipelines; default: all.
        limit: Maximum number of results; default: SPOT_OA_LIMIT of the worker.
        force: Also run unchanged days again.
        scorer: `builtin` scores each day first, `file` reads the existing results; default:
            SPOT_OA_SCORER of the worker.
    """
    try:
        dates = date_range(date_from, date_to)
    except UsageError as error:
        return Failed(message=str(error))
    names = pipelines or list(load_pipelines(load_settings().pipelines_dir))
    failed = []
    for date in dates:
        for name in names:
            if not force and unchanged(name, date, limit):
                # Only a row in the audit: a separate flow run would take a second.
                state = run_as_flow(name, date, limit, skip_unchanged=True)
            else:
                # In this process: a deployment run would wait for a free slot of the worker.
                state = oa_day(name, date, limit, force, scorer, return_state=True)
            if not state.is_completed():
                failed.append(f"{name} {date}: {state.message}")
    runs = len(dates) * len(names)
    if failed:
        return Failed(message=f"{len(failed)} of {runs} runs failed: {' | '.join(failed)}")
    return Completed(message=f"{runs} runs done")
