"""The Prefect flow of the NetFlow pipeline."""

from __future__ import annotations

from prefect import flow

from flows.parameters import Limit, RunDate
from flows.runner import run_day
from flows.tasks import LogReporter, PrefectCaller
from spot_oa.dates import Slice
from spot_oa.settings import load_settings


@flow(name="flow-oa", flow_run_name="flow {date}")
def flow_oa(date: RunDate, limit: Limit | None = None) -> None:
    """Land, enrich, build and publish a date of the flow pipeline.

    Args:
        date: The day (UTC), 2016-07-08 or 20160708.
        limit: How many results to take; the configured number if left out.
    """
    reporter = LogReporter(Slice("flow", date))
    run_day(load_settings(), "flow", date, reporter, limit=limit, caller=PrefectCaller())
