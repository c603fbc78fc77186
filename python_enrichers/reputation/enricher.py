"""Query reputation services for addresses, names and URIs, and combine their verdicts."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import pandas as pd

from python_enrichers.base import Enrichment, Indicators, Status, lookup_frame
from python_enrichers.context_files import naive_utc
from python_enrichers.reputation.base import (
    ListSource,
    LiveService,
    ReputationService,
    Verdicts,
    every,
)
from python_enrichers.reputation.lists.local import load_feeds
from python_enrichers.reputation.lists.store import synchronise
from python_enrichers.reputation.live import Live
from python_enrichers.reputation.registry import load_services
from python_enrichers.reputation.sendable import Sendable
from python_enrichers.reputation.tables import REPUTATION, VERDICTS
from python_enrichers.reputation.verdict_cache import VerdictCache
from spot_oa.errors import ConfigError, printable
from spot_oa.settings import Settings


class Reputation:
    """Queries every service and combines their verdicts."""

    def __init__(self, services: Sequence[ReputationService]) -> None:
        self._services = sorted(services, key=lambda service: service.name)

    def enrich(self, indicators: Indicators) -> Enrichment:
        """Query indicators; see `Enricher.enrich`.

        Each service is queried for the kinds of indicator that it supports: first the lists, then
        the services on the network in parallel.
        """

        def ask(service: ReputationService) -> Verdicts:
            return service.lookup(
                {kind: texts for kind, texts in indicators.items() if kind in service.kinds}
            )

        started = naive_utc(time.time())
        live = [service for service in self._services if isinstance(service, Live)]
        found = {service.name: ask(service) for service in self._services if service not in live}
        with ThreadPoolExecutor(max_workers=len(live) or 1) as pool:
            found |= zip((service.name for service in live), pool.map(ask, live), strict=True)
        verdicts = [found[service.name] for service in self._services]
        rows = pd.concat(
            [lookup_frame(VERDICTS, {}), *(verdict.rows for verdict in verdicts)],
            ignore_index=True,
        )
        return Enrichment(
            {REPUTATION.name: combine(indicators, rows, started), VERDICTS.name: rows},
            [verdict.outcome for verdict in verdicts],
        )


def load(settings: Settings, *, fresh: bool = False) -> Reputation:
    """Open every configured service; fetch lists that are due.

    Args:
        settings: The services and their options.
        fresh: Ignore cached answers of live services.

    Raises:
        ConfigError: A service's options are not usable.
        EnrichmentError: A local feed or the cache cannot be used.
    """
    local = load_feeds(settings.context_dir / "reputation")
    services = load_services(settings)
    lists = [service for service in services if isinstance(service, ListSource)]
    live = [service for service in services if isinstance(service, LiveService)]
    _check_names([service.name for service in (*local, *services)])
    return Reputation([*local, *synchronise(lists, settings), *_live(live, settings, fresh=fresh)])


def _live(services: Sequence[LiveService], settings: Settings, *, fresh: bool) -> list[Live]:
    if not services:
        return []
    sendable = Sendable.of(settings)
    caches = {service.name: VerdictCache(settings, service.name) for service in services}
    return [
        Live(service, settings, sendable, caches[service.name], fresh=fresh) for service in services
    ]


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"reputation service {name!r} exists twice: rename or remove one")
        if not re.fullmatch("[^:;/.][^:;/]*", name):
            raise ConfigError(
                f"invalid service name {printable(name)!r}: it must not contain ':', ';' or '/', "
                "or start with '.'"
            )


def combine(
    indicators: Indicators, verdicts: pd.DataFrame, now: dt.datetime | None = None
) -> pd.DataFrame:
    """Combine the verdicts of each indicator into one text; ignore expired verdicts.

    Args:
        indicators: All queried indicators.
        verdicts: Rows as in lookups.reputation_verdicts, in the order of the services' names.
        now: UTC without a zone; the current time if None.

    Returns:
        Rows as in lookups.reputation: `service:LABEL:severity` of each service that answered,
        joined by `::`, and the highest severity.
    """
    combined: dict[tuple[str, str], tuple[str, int | None]] = {}
    expired = verdicts["expires_at"] < (now or naive_utc(time.time()))
    answered = verdicts[(verdicts["outcome"] == Status.ANSWERED) & ~expired]
    fields = ("indicator_type", "indicator", "service", "label", "severity")
    # As arrays of objects: iterating over a column of text takes several times as long.
    columns = [answered[field].to_numpy(object) for field in fields]
    for kind, indicator, service, label, severity in zip(*columns, strict=True):
        text = f"{service}:{_printed(label)}:{severity}"
        before, highest = combined.get((kind, indicator), ("", None))
        if highest is not None:
            text, severity = f"{before}::{text}", max(severity, highest)  # noqa: PLW2901
        combined[kind, indicator] = text, severity
    asked = every(indicators)
    answers = [combined.get(key, ("", None)) for key in asked]
    return lookup_frame(
        REPUTATION,
        {
            "indicator": [text for _, text in asked],
            "indicator_type": [kind for kind, _ in asked],
            "reputation": [text for text, _ in answers],
            "severity": [severity for _, severity in answers],
        },
    )


@lru_cache(maxsize=1024)
def _printed(label: str) -> str:
    """Make a label safe in the text: `::` parts services, `;` would part SQL statements."""
    return re.sub("::+", ":", label.replace(";", "")).strip(":") or "-"
