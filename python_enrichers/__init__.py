"""Enrichment: look up indicators, and return rows of the lookup tables.

Importing this package is cheap: the modules of a step are imported when the step is loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from spot_oa.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_enrichers.base import Enricher
    from spot_oa.settings import Settings
    from spot_oa.warehouse.tables import Table

STEPS = ("geo", "network_context", "reputation", "domain")
"""The enrichment steps; each is a module of this package with a function `load`, and `TABLES`, the
lookup tables that it writes."""


def load_enricher(step: str, settings: Settings, *, fresh: bool = False) -> Enricher:
    """Load an enrichment step, reading its sources once.

    Args:
        step: One of `STEPS`, as under `enrich` in a pipeline description.
        settings: Where the sources are.
        fresh: Ignore cached answers of services.

    Returns:
        The enricher.

    Raises:
        ConfigError: The step is unknown.
        EnrichmentError: A configured source cannot be used.
    """
    if step not in STEPS:
        raise ConfigError(f"enrichment step {step!r} is unknown: take one of {', '.join(STEPS)}")
    enricher: Enricher = import_module(f"{__name__}.{step}").load(settings, fresh=fresh)
    return enricher


def lookup_tables(*steps: str) -> list[Table]:
    """Return the lookup tables of the steps, or of all steps if none is given."""
    written: list[Sequence[Table]] = [
        import_module(f"{__name__}.{step}").TABLES for step in steps or STEPS
    ]
    return [table for tables in written for table in tables]
