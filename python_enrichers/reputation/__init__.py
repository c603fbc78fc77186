"""What reputation services say of addresses, names and URIs, and all of it in one text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import pandas as pd

from python_enrichers.base import Enrichment, Indicators, lookup_frame
from python_enrichers.reputation.base import Answer, ReputationService
from python_enrichers.reputation.local_feed import load_feeds
from spot_oa.settings import Settings


class Reputation:
    """Asks every service and combines what they say."""

    def __init__(self, services: Sequence[ReputationService]) -> None:
        self._services = sorted(services, key=lambda service: service.name)

    def enrich(self, indicators: Indicators) -> Enrichment:
        """Ask about indicators; see `Enricher.enrich`.

        Each service is asked about the kinds of indicator that it takes.
        """
        verdicts = [
            service.lookup(
                {kind: texts for kind, texts in indicators.items() if kind in service.kinds}
            )
            for service in self._services
        ]
        rows = pd.concat(
            [lookup_frame("reputation_verdicts", {}), *(verdict.rows for verdict in verdicts)],
            ignore_index=True,
        )
        return Enrichment(
            {"reputation": combine(indicators, rows), "reputation_verdicts": rows},
            [verdict.outcome for verdict in verdicts],
        )


def load(settings: Settings) -> Reputation:
    """Open every configured service.

    Raises:
        EnrichmentError: One cannot be used.
    """
    return Reputation(load_feeds(settings.context_dir / "reputation"))


def combine(indicators: Indicators, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Put the verdicts on each indicator into one text.

    Args:
        indicators: All that were asked about.
        verdicts: Rows as in lookups.reputation_verdicts, in the order of the services' names.

    Returns:
        Rows as in lookups.reputation: `service:LABEL:severity` of each service that answered,
        joined by `::`, and the highest severity.
    """
    said = defaultdict[tuple[str, str], list[tuple[str, int]]](list)
    answered = verdicts[verdicts["outcome"] == Answer.ANSWERED]
    fields = ("indicator_type", "indicator", "service", "label", "severity")
    for kind, indicator, service, label, severity in zip(*map(answered.get, fields), strict=True):
        said[kind, indicator].append((f"{service}:{_printed(label)}:{severity}", severity))
    asked = [(kind, text) for kind, texts in indicators.items() for text in texts]
    answers = [said.get(key, ()) for key in asked]
    return lookup_frame(
        "reputation",
        {
            "indicator": [text for _, text in asked],
            "indicator_type": [kind for kind, _ in asked],
            "reputation": ["::".join(text for text, _ in texts) for texts in answers],
            "severity": [max((level for _, level in texts), default=None) for texts in answers],
        },
    )


def _printed(label: str) -> str:
    """Make a label safe in the text: `::` parts services, `;` would part SQL statements."""
    return re.sub("::+", ":", label.replace(";", "")).strip(":") or "-"
