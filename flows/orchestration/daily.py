"""One Prefect flow per described pipeline: `flow_oa`, `proxy_oa`, `dns_oa`, and so on.

The flows are attributes of this module, made when they are asked for, so that a pipeline of
`SPOT_OA_PIPELINES_DIR` is deployed as `flows/orchestration/daily.py:<pipeline>_oa` without code.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from prefect import Flow, flow
from prefect.client.schemas.objects import State

from flows.orchestration.parameters import ForceEnrich, Limit, RunDate, Scorer
from flows.orchestration.tasks import run_as_flow, run_name
from spot_oa.errors import UsageError
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import load_settings

SUFFIX = "_oa"


@cache
def daily(pipeline: str, title: str) -> Flow[..., State[Any]]:
    """The flow that runs a day of a pipeline, given by name and title."""

    def run(
        date: RunDate | None = None,
        limit: Limit | None = None,
        force_enrich: ForceEnrich = False,
        scorer: Scorer | None = None,
    ) -> State[Any]:
        return run_as_flow(pipeline, date, limit, force_enrich=force_enrich, scorer=scorer)

    run.__name__ = run.__qualname__ = f"{pipeline}{SUFFIX}"
    run.__doc__ = f"""Land, enrich, build and publish a day of the {title} pipeline.

    Args:
        date: 2016-07-08 or 20160708 (UTC); left out, the day before the scheduled start.
        limit: How many results to take; left out, SPOT_OA_LIMIT of the worker.
        force_enrich: Ask enrichment services again, also for answers that are cached.
        scorer: `builtin` has the day scored first, `file` takes the results that are there; left
            out, SPOT_OA_SCORER of the worker.
    """
    named = flow(name=f"{pipeline.replace('_', '-')}-oa", flow_run_name=run_name(pipeline))
    return named(run)


def __getattr__(name: str) -> Flow[..., State[Any]]:
    """The flow of the pipeline that the attribute names."""
    if not name.endswith(SUFFIX):
        raise AttributeError(f"module {__name__} has no {name}")
    try:
        pipeline = get_pipeline(name.removesuffix(SUFFIX), load_settings().pipelines_dir)
    except UsageError as error:
        raise AttributeError(f"module {__name__} has no {name}: {error}") from error
    return daily(pipeline.name, pipeline.title)
