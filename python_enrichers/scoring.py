"""Lookup tables of the scorer: internal networks, and public suffixes."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pyarrow as pa
import tldextract

from python_enrichers.addresses import Packed, Span, is_v4, parse_span, unpack
from python_enrichers.network_context.enricher import internal_ranges
from spot_oa.settings import Settings
from spot_oa.warehouse.tables import declared

OWN_NETWORKS = declared(
    "lookups",
    "own_networks",
    "One row per range of internal addresses, for the scorer.",
    {
        "version": ("int", "4 or 6."),
        "first_address": ("string", "First address, with all its digits."),
        "last_address": ("string", "Last address, with all its digits."),
    },
    key=["first_address", "last_address"],
)
PUBLIC_SUFFIXES = declared(
    "lookups",
    "public_suffixes",
    "One row per rule of the public suffix list with more than one label, for the scorer.",
    {
        "suffix": ("string", "The rule, without its mark."),
        "labels": ("int", "Number of labels of the rule."),
        "registered_labels": ("int", "Number of labels of the registered domain below it."),
    },
    key=["suffix"],
)
TABLES = (OWN_NETWORKS, PUBLIC_SUFFIXES)
RESERVED = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
    *("fc00::/7", "fe80::/10"),
)
"""Internal networks if `ipranges.csv` is missing: RFC 1918, RFC 4193, link-local."""
MOST_LABELS = 5
"""Maximum number of labels of the suffixes that the SQL looks for."""


def own_networks(settings: Settings) -> tuple[pa.Table, bool]:
    """Return the internal ranges, from `ipranges.csv`, or the reserved ones without the file.

    Returns:
        Rows of `OWN_NETWORKS` without the slice columns, and whether the file exists.

    Raises:
        EnrichmentError: The file cannot be read, or has no range.
    """
    file = internal_ranges(settings)
    spans = list(file.entries) if file else [parse_span(text) for text in RESERVED]
    rows = sorted({row for span in spans for row in _rows(span)})
    columns = list(zip(*rows, strict=True))
    schema = pa.schema([OWN_NETWORKS.arrow_schema.field(n) for n in range(3)])
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema), (
        file is not None
    )


def _rows(span: Span) -> Iterator[tuple[int, str, str]]:
    first, last = span
    yield 4 if is_v4(first) else 6, expanded(first), expanded(last)


def expanded(address: Packed) -> str:
    """Format an address with all its digits, so that texts sort like addresses."""
    text = unpack(address)
    if is_v4(address):
        return ".".join(part.zfill(3) for part in text.split("."))
    return ipaddress.IPv6Address(text).exploded


def public_suffixes() -> pa.Table:
    """Return the rules of the public suffix list of tldextract, without its private part.

    Rules of one label are omitted: without a rule the last label is the suffix.

    Returns:
        Rows of `PUBLIC_SUFFIXES` without the slice columns.
    """
    listed = tldextract.TLDExtract(
        suffix_list_urls=(), cache_dir=None, include_psl_private_domains=False
    ).tlds
    rules: dict[str, int] = {}
    for rule in listed:
        suffix = rule.lstrip("!*").lstrip(".")
        below = 0 if rule.startswith("!") else 2 if rule.startswith("*.") else 1
        # Of a rule with and without a wildcard, the one with it is longer.
        rules[suffix] = max(below, rules.get(suffix, 0))
    kept = sorted((s, n) for s, n in rules.items() if "." in s or n != 1)
    schema = pa.schema([PUBLIC_SUFFIXES.arrow_schema.field(n) for n in range(3)])
    return pa.table(
        [
            pa.array([s for s, _ in kept], schema.field(0).type),
            pa.array([s.count(".") + 1 for s, _ in kept], schema.field(1).type),
            pa.array([n for _, n in kept], schema.field(2).type),
        ],
        schema,
    )
