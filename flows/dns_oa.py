"""The Prefect flow of the DNS pipeline."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.parameters import ForceEnrich, Limit, RunDate
from flows.tasks import run_as_flow, run_name


@flow(name="dns-oa", flow_run_name=run_name("dns"))
def dns_oa(
    date: RunDate | None = None, limit: Limit | None = None, force_enrich: ForceEnrich = False
) -> State[Any]:
    """Land, enrich, build and publish a day of the DNS pipeline."""
    return run_as_flow("dns", date, limit, force_enrich=force_enrich)
