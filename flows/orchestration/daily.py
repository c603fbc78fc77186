"""One Prefect flow per described pipeline: `flow_oa`, `proxy_oa`, `dns_oa`, and so on.

The flows are attributes of this module, created on access, so that a pipeline of
`SPOT_OA_PIPELINES_DIR` can be deployed as `flows/orchestration/daily.py:<pipeline>_oa` without
code.
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
    """Return the flow that runs a day of a pipeline, given by name and title."""

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
        date: 2016-07-08 or 20160708 (UTC); default: the day before the scheduled start.
        limit: Maximum number of results; default: SPOT_OA_LIMIT of the worker.
        force_enrich: Query enrichment services again, ignoring cached answers.
        scorer: `builtin` scores the day first, `file` reads the existing results; default:
            SPOT_OA_SCORER of the worker.
    """
    named = flow(name=f"{pipeline.replace('_', '-')}-oa", flow_run_name=run_name(pipeline))
    return named(run)


def __getattr__(name: str) -> Flow[..., State[Any]]:
    """Return the flow of the pipeline that the attribute names."""
    if not name.endswith(SUFFIX):
        raise AttributeError(f"module {__name__} has no {name}")
    try:
        pipeline = get_pipeline(name.removesuffix(SUFFIX), load_settings().pipelines_dir)
    except UsageError as error:
        raise AttributeError(f"module {__name__} has no {name}: {error}") from error
    return daily(pipeline.name, pipeline.title)
