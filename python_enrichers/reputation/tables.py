"""The lookup tables of the reputation step."""

from __future__ import annotations

from python_enrichers.base import lookup_table
from spot_oa.warehouse.tables import doc

REPUTATION = lookup_table(
    "reputation",
    "One row per distinct indicator of the slice, known or not.",
    {
        "indicator": ("string", doc("looked_up")),
        "indicator_type": ("string", doc("looked_up_type")),
        "reputation": "string",
        "severity": "int",
    },
    key=["indicator", "indicator_type"],
)
VERDICTS = lookup_table(
    "reputation_verdicts",
    "One row per indicator and service.",
    {
        "indicator": ("string", doc("looked_up")),
        "indicator_type": ("string", doc("looked_up_type")),
        "service": ("string", "The queried service."),
        "severity": (
            "int",
            "-1 unverified, 0 none, 1 low, 2 medium, 3 high. NULL if there is no verdict.",
        ),
        "label": ("string", "The service's own word."),
        "confidence": ("double", "How sure the service is, on its own scale."),
        "category": ("string", "The service's category."),
        "matched_entry": ("string", "The entry of the list that the indicator matched."),
        "fetched_at": ("timestamp", "When the verdict was fetched (UTC)."),
        "expires_at": ("timestamp", "When the verdict expires (UTC)."),
        "outcome": (
            "string",
            "The result of the lookup: answered, not found, or why there is no answer.",
        ),
    },
    key=["indicator", "indicator_type", "service"],
)
TABLES = (REPUTATION, VERDICTS)
