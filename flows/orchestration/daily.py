"""The Prefect flow of the NetFlow pipeline."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.orchestration.parameters import ForceEnrich, Limit, RunDate
from flows.orchestration.tasks import run_as_flow, run_name


@flow(name="flow-oa", flow_run_name=run_name("flow"))
def flow_oa(
    date: RunDate | None = None, limit: Limit | None = None, force_enrich: ForceEnrich = False
) -> State[Any]:
    """Land, enrich, build and publish a day of the NetFlow pipeline."""
    return run_as_flow("flow", date, limit, force_enrich=force_enrich)
