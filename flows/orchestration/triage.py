"""The Prefect flow that rebuilds triage from the analysts' actions."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from flows.orchestration.artifacts import show_failure
from flows.orchestration.parameters import PipelineName, RunDate
from flows.orchestration.secret_blocks import settings_with_secrets
from flows.orchestration.tasks import LogReporter, PrefectCaller
from flows.run.labels import pending
from flows.run.runner import refresh_day
from spot_oa.dates import Slice
from spot_oa.errors import SpotOaError, printable
from spot_oa.pipelines import load_pipelines


@flow(name="triage-refresh", flow_run_name="triage")
def triage_refresh(
    dates: Annotated[
        list[RunDate] | None, Field(description="Published days; default: days that need it.")
    ] = None,
    pipelines: list[PipelineName] | None = None,
) -> State[Any]:
    """Rebuild the triage of published days from the analysts' actions.

    Telemetry is read only for days with stories. A failed day does not stop the others.

    Args:
        dates: Published days; default: days whose triage is out of date.
        pipelines: Some of the pipelines; default: all whose rows can be labelled.
    """
    failed = []
    try:
        settings = settings_with_secrets()
        described = load_pipelines(settings.pipelines_dir)
        wanted = [described[name] for name in pipelines or described]
        parts = pending(settings, wanted)
        if dates:
            labelled = [each.name for each in wanted if each.triage or pipelines]
            parts = [Slice(name, date) for date in dates for name in labelled]
    except SpotOaError as error:
        return Failed(message=printable(error))
    for part in parts:
        caller, reporter = PrefectCaller(settings.retry_delays), LogReporter(part)
        try:
            summary = refresh_day(settings, part.pipeline, part.date, reporter, caller=caller)
        except SpotOaError as error:
            show_failure(part, error)
            failed.append(f"{part}: {printable(error)}")
        else:
            for warning in summary.warnings:
                reporter.note(f"warning: {warning}")
    if failed:
        return Failed(message=f"{len(failed)} of {len(parts)} days failed: {' | '.join(failed)}")
    return Completed(message=f"{len(parts)} days refreshed")
