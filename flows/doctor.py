"""What is configured, what can be reached, what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import python_enrichers
from spot_oa.errors import SpotOaError
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse
from spot_oa.warehouse.tables import python_tables


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
    yield _attempt(
        f"warehouse {settings.warehouse}", lambda: warehouse.prepare(python_tables(pipelines))
    )
    for pipeline in pipelines.values():
        yield _attempt(
            f"telemetry of {pipeline.name} below {settings.raw_uri}",
            partial(warehouse.check_telemetry, pipeline),
        )
    for step in python_enrichers.STEPS:
        yield _attempt(
            f"sources of {step}", partial(python_enrichers.load_enricher, step, settings)
        )


def _attempt(what: str, look: Callable[[], object]) -> tuple[bool, str]:
    try:
        look()
    except SpotOaError as error:
        return False, f"{what}: {error}"
    return True, what
