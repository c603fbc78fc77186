"""The registered domain of a DNS name, by the public suffix list bundled with tldextract."""

from __future__ import annotations

from urllib.parse import SplitResult

import tldextract

from python_enrichers.base import Enrichment, Indicators, Outcome, lookup_frame, lookup_table
from spot_oa.settings import Settings
from spot_oa.warehouse.tables import doc

DOMAIN = lookup_table(
    "domain",
    "One row per distinct name of the slice.",
    {
        "name": ("string", doc("looked_up_name")),
        "registered_domain": "string",
        "public_suffix": ("string", "The public suffix. Empty if there is none."),
    },
    key=["name"],
)
TABLES = (DOMAIN,)

# With the list's private part: each customer of cloudfront.net or github.io has its own domain.
_EXTRACT = tldextract.TLDExtract(
    suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True
)


def split_name(name: str) -> tuple[str, str]:
    """Split a name into registered domain and public suffix.

    Args:
        name: A DNS name as queried, which may contain any character.

    Returns:
        Registered domain and public suffix in the spelling of the name, each empty if there is
        none: `("example.co.uk", "co.uk")` for `shop.example.co.uk`, both empty for `localhost`.
    """
    # Pass it as a host, not as a URL: RFC 2317 names such as `1/26.2.0.192.in-addr.arpa` have
    # slashes.
    parts = _EXTRACT.extract_urllib(SplitResult("", name, "", "", ""))
    return parts.top_domain_under_public_suffix, parts.suffix


class Domains:
    """Splits DNS names."""

    def enrich(self, indicators: Indicators) -> Enrichment:
        """Split names; see `Enricher.enrich`."""
        names = indicators.get("name", ())
        split = [split_name(name) for name in names]
        registered = [domain for domain, _ in split]
        rows = lookup_frame(
            DOMAIN,
            {
                "name": names,
                "registered_domain": registered,
                "public_suffix": [suffix for _, suffix in split],
            },
        )
        outcome = Outcome(
            "public suffix list",
            asked=len(names),
            found=sum(map(bool, registered)),
            detail=f"as of tldextract {tldextract.__version__}",
        )
        return Enrichment({"domain": rows}, [outcome])


def load(settings: Settings, *, fresh: bool = False) -> Domains:  # noqa: ARG001 - as every loader
    """Use the installed list; there is nothing to configure."""
    return Domains()
