"""Run the reputation step, and read its verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from werkzeug import Response

from python_enrichers import load_enricher
from python_enrichers.base import Enrichment
from spot_oa.pipelines import IndicatorType
from spot_oa.settings import Settings, load_settings
from tests.support.lookups import column

KEY = "s3cr3t-k3y"

# Indicators that may be sent; documentation networks and names are not public.
PUBLIC = ("8.8.8.8", "1.1.1.1", "9.9.9.9", "2001:4860:4860::8888")


def as_json(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content), status, content_type="application/json")


class Asked:
    """Runs the reputation step with services as they are set in the environment."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def settings(self, services: Mapping[str, Mapping[str, Any]], **others: Any) -> Settings:
        quick = {"http_attempts": 1, "service_seconds": 20} | others
        return load_settings(home=self.home, services=services, **quick)

    def __call__(
        self,
        services: Mapping[str, Mapping[str, Any]],
        kind: IndicatorType,
        *indicators: str,
        fresh: bool = False,
        **others: Any,
    ) -> Enrichment:
        settings = self.settings(services, **others)
        return load_enricher("reputation", settings, fresh=fresh).enrich({kind: indicators})


def verdicts(found: Enrichment, *columns: str) -> dict[str, tuple[object, ...]]:
    """Return columns of the verdicts by indicator, NULL as None."""
    frame = found.tables["reputation_verdicts"]
    values = [column(frame, "indicator", name) for name in columns]
    return {name: tuple(value[name] for value in values) for name in frame["indicator"]}


def outcomes(found: Enrichment) -> dict[str, object]:
    return column(found.tables["reputation_verdicts"], "indicator", "outcome")


def texts(found: Enrichment) -> dict[str, object]:
    return column(found.tables["reputation"], "indicator", "reputation")


def statuses(found: Enrichment) -> dict[str, str]:
    return {outcome.source: outcome.status.value for outcome in found.outcomes}


def details(found: Enrichment) -> Sequence[str]:
    return [outcome.detail for outcome in found.outcomes]
