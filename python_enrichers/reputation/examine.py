"""Check the state of each configured service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from python_enrichers.base import Outcome, Status
from python_enrichers.budget import Meter
from python_enrichers.reputation.base import ListSource, LiveService, fault_of
from python_enrichers.reputation.lists.local import load_feeds
from python_enrichers.reputation.lists.store import synchronise
from python_enrichers.reputation.registry import load_services
from spot_oa.pipelines import IndicatorType
from spot_oa.settings import Settings

PROBES: dict[IndicatorType, str] = {
    "address": "8.8.8.8",
    "name": "example.com",
    "uri": "http://example.com/",
}
"""Well-known indicators, outside any operator's network, for a test lookup of each kind."""


def examine(settings: Settings) -> Iterator[Outcome]:
    """Make one harmless lookup in every configured service, which uses a call of its budget.

    Fetch lists that are due.

    Raises:
        ConfigError: A service's options are not usable.
        EnrichmentError: A local feed cannot be read.
    """
    for feed in load_feeds(settings.context_dir / "reputation"):
        yield feed.lookup({}).outcome
    services = load_services(settings)
    sources = [service for service in services if isinstance(service, ListSource)]
    for source, listed in zip(sources, synchronise(sources, settings), strict=True):
        yield _with_budget(listed.lookup({}).outcome, source.meter)
    for service in services:
        if isinstance(service, LiveService):
            yield _with_budget(_probe(service, settings), service.meter)


def _probe(service: LiveService, settings: Settings) -> Outcome:
    kind = next(kind for kind in PROBES if kind in service.kinds)
    service.meter.deadline.start(settings.service_seconds)
    status, detail = Status.OK, "reachable, accepts the key if it needs one"
    try:
        service.lookup(kind, [PROBES[kind]])
    except Exception as error:  # noqa: BLE001 - a faulty service must not stop the check
        fault = fault_of(error)
        status, detail = fault.status.of_source, fault.reason
    return Outcome(service.name, status, detail=detail)


def _with_budget(outcome: Outcome, meter: Meter) -> Outcome:
    return replace(outcome, detail=f"{outcome.detail}, {meter.left_in_words()}")
