"""Which addresses are the operator's own, and what the operator calls them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from python_enrichers.addresses import (
    RangeIndex,
    Span,
    pack,
    parse_address,
    parse_span,
    span,
)
from python_enrichers.base import Enrichment, Indicators, lookup_frame, lookup_table
from python_enrichers.context_files import ContextFile, read_context_file
from python_enrichers.network_context.netbox import open_netbox
from python_enrichers.network_context.reverse_dns import open_reverse_dns
from python_enrichers.network_context.sources import Asked, Labelled, NameSource, Networks
from spot_oa.errors import EnrichmentError, printable
from spot_oa.settings import Settings
from spot_oa.warehouse.tables import doc

IPRANGES_FORM = "start,end,label or network/bits,label"
RANGE_COLUMNS = 3
LABEL_COLUMNS = 2

NETWORK_CONTEXT = lookup_table(
    "network_context",
    "One row per distinct address of the slice: is it ours, and what is it called.",
    {"ip": ("string", doc("looked_up_ip")), "is_internal": "int", "label": "string"},
    key=["ip"],
)
TABLES = (NETWORK_CONTEXT,)


class NetworkContext:
    """Looks addresses up in `ipranges.csv`, and their names in several places.

    Args:
        internal: `ipranges.csv`, if it is there.
        sources: What gives names; the first that knows an address wins.
    """

    def __init__(self, internal: ContextFile[Span] | None, sources: Sequence[NameSource]) -> None:
        self._internal = internal
        self._internal_index = RangeIndex(internal.entries if internal else [])
        self._sources = sources

    def enrich(self, indicators: Indicators) -> Enrichment:
        """Look addresses up; see `Enricher.enrich`.

        Text that is not an address is not internal and has no label.
        """
        addresses = indicators.get("address", ())
        packed = [pack(address) for address in addresses]
        asked = len(packed) - packed.count(None)
        internal = (self._internal_index.lookup(packed) >= 0).tolist()
        outcomes = [self._internal.outcome(asked, sum(internal))] if self._internal else []
        labels = [""] * len(packed)
        for source in self._sources:
            to_name = map(Asked, packed, internal, map(bool, labels))
            names, outcome = source.names([*to_name])
            labels = [label or name for label, name in zip(labels, names, strict=True)]
            outcomes.append(outcome)
        rows = lookup_frame(
            NETWORK_CONTEXT, {"ip": addresses, "is_internal": map(int, internal), "label": labels}
        )
        return Enrichment({NETWORK_CONTEXT.name: rows}, outcomes)


def load(settings: Settings, *, fresh: bool = False) -> NetworkContext:
    """Read the context files and open every configured source of names.

    Raises:
        EnrichmentError: One is there and cannot be read, or none of its lines can be used.
        ConfigError: The resolver's address is none.
    """
    sources = (open_source(settings, fresh) for open_source in SOURCES)
    return NetworkContext(internal_ranges(settings), [source for source in sources if source])


def load_local(settings: Settings, names: Path | None = None) -> NetworkContext:
    """Read what lies in files: nobody is asked about an address.

    Args:
        settings: Where the context files are.
        names: A file like `networkcontext.csv` whose names replace all others.

    Raises:
        EnrichmentError: One is there and cannot be read, or none of its lines can be used.
    """
    if names is not None:
        found: list[NameSource | None] = [read_labels(names)]
    else:
        found = [open_labels(settings, False), open_netbox(settings, False)]  # noqa: FBT003
    return NetworkContext(internal_ranges(settings), [each for each in found if each])


def internal_ranges(settings: Settings) -> ContextFile[Span] | None:
    """Read `ipranges.csv`, the operator's own addresses; None if there is no such file.

    Raises:
        EnrichmentError: It is there and cannot be read, or has no range: nobody would be internal,
            and the operator's own addresses would go to services.
    """
    path = settings.context_dir / "ipranges.csv"
    file = read_context_file(path, _internal, IPRANGES_FORM)
    if file and not file.entries:
        raise EnrichmentError(
            f"context file {printable(path)} has no range, so that nobody would be internal; "
            f"write lines as {IPRANGES_FORM}, or remove the file"
        )
    return file


def _internal(columns: list[str]) -> Span:
    first, *others = columns or [""]
    if "/" in first or "-" in first:
        if others and pack(others[0]):
            raise ValueError(f"'{first}' is a whole range, and '{others[0]}' another end of it")
        return parse_span(first)
    if len(columns) < RANGE_COLUMNS:
        raise ValueError(f"{RANGE_COLUMNS} columns are needed, found {len(columns)}")
    return span(parse_address(first), parse_address(others[0]))


def open_labels(settings: Settings, fresh: bool) -> Networks | None:  # noqa: ARG001 - as every source
    """Read `networkcontext.csv`; None if there is no such file.

    Raises:
        EnrichmentError: It is there and cannot be read, or none of its lines can be used.
    """
    return read_labels(settings.context_dir / "networkcontext.csv")


def read_labels(path: Path) -> Networks | None:
    """The same of any file; see `open_labels`."""
    file = read_context_file(path, _labelled, "address,label or a/b,label or a-b,label")
    return Networks(_exact_last(file)) if file else None


SOURCES: Sequence[Callable[[Settings, bool], NameSource | None]] = (
    open_labels,
    open_netbox,
    open_reverse_dns,
)
"""Open a source of names from the settings and `fresh`, if it is configured. Earlier ones count."""


def _exact_last(file: ContextFile[tuple[bool, Labelled]]) -> ContextFile[Labelled]:
    """Put exact addresses last: of ranges of the same width the last counts, so they beat a /32."""
    entries = [entry for _, entry in sorted(file.entries, key=lambda entry: entry[0])]
    return ContextFile(file.name, entries, file.skipped, file.written_at, file.first_skipped)


def _labelled(columns: list[str]) -> tuple[bool, Labelled]:
    if len(columns) < LABEL_COLUMNS:
        raise ValueError(f"{LABEL_COLUMNS} columns are needed, found {len(columns)}")
    network, label, *_ = columns
    return pack(network) is not None, (parse_span(network), label)
