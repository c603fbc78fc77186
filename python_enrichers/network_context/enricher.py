"""Find whether addresses are internal, and their names in the operator's network."""

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
    "One row per distinct address of the slice: whether it is internal, and its name.",
    {"ip": ("string", doc("looked_up_ip")), "is_internal": "int", "label": "string"},
    key=["ip"],
)
TABLES = (NETWORK_CONTEXT,)


class NetworkContext:
    """Looks up addresses in `ipranges.csv`, and their names in several sources.

    Args:
        internal: `ipranges.csv`, if it exists.
        sources: Sources of names; the first that knows an address wins.
    """

    def __init__(self, internal: ContextFile[Span] | None, sources: Sequence[NameSource]) -> None:
        self._internal = internal
        self._internal_index = RangeIndex(internal.entries if internal else [])
        self._sources = sources

    def enrich(self, indicators: Indicators) -> Enrichment:
        """Look up addresses; see `Enricher.enrich`.

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
        EnrichmentError: A file cannot be read, or all its lines are invalid.
        ConfigError: The resolver's address is invalid.
    """
    sources = (open_source(settings, fresh) for open_source in SOURCES)
    return NetworkContext(internal_ranges(settings), [source for source in sources if source])


def load_local(settings: Settings, names: Path | None = None) -> NetworkContext:
    """Read only local files, without reverse DNS.

    Args:
        settings: Where the context files are.
        names: A file like `networkcontext.csv` whose names replace all others.

    Raises:
        EnrichmentError: A file cannot be read, or all its lines are invalid.
    """
    if names is not None:
        found: list[NameSource | None] = [read_labels(names)]
    else:
        found = [open_labels(settings, False), open_netbox(settings, False)]  # noqa: FBT003
    return NetworkContext(internal_ranges(settings), [each for each in found if each])


def internal_ranges(settings: Settings) -> ContextFile[Span] | None:
    """Read `ipranges.csv`, the operator's internal addresses; None if the file is missing.

    Raises:
        EnrichmentError: The file cannot be read, or has no range: then no address would be
            internal, and internal addresses would be sent to services.
    """
    path = settings.context_dir / "ipranges.csv"
    file = read_context_file(path, _internal, IPRANGES_FORM)
    if file and not file.entries:
        raise EnrichmentError(
            f"context file {printable(path)} has no range, so no address would be internal; "
            f"write lines as {IPRANGES_FORM}, or remove the file"
        )
    return file


def _internal(columns: list[str]) -> Span:
    first, *others = columns or [""]
    if "/" in first or "-" in first:
        if others and pack(others[0]):
            raise ValueError(f"'{first}' already is a range, but '{others[0]}' gives another end")
        return parse_span(first)
    if len(columns) < RANGE_COLUMNS:
        raise ValueError(f"{RANGE_COLUMNS} columns are needed, found {len(columns)}")
    return span(parse_address(first), parse_address(others[0]))


def open_labels(settings: Settings, fresh: bool) -> Networks | None:  # noqa: ARG001 - as every source
    """Read `networkcontext.csv`; None if the file is missing.

    Raises:
        EnrichmentError: The file cannot be read, or all its lines are invalid.
    """
    return read_labels(settings.context_dir / "networkcontext.csv")


def read_labels(path: Path) -> Networks | None:
    """Read any file of labels; see `open_labels`."""
    file = read_context_file(path, _labelled, "address,label or a/b,label or a-b,label")
    return Networks(_exact_last(file)) if file else None


SOURCES: Sequence[Callable[[Settings, bool], NameSource | None]] = (
    open_labels,
    open_netbox,
    open_reverse_dns,
)
"""Functions that open a configured source of names; earlier sources win."""


def _exact_last(file: ContextFile[tuple[bool, Labelled]]) -> ContextFile[Labelled]:
    """Put exact addresses last: of ranges of the same width the last wins, so they beat a /32."""
    entries = [entry for _, entry in sorted(file.entries, key=lambda entry: entry[0])]
    return ContextFile(file.name, entries, file.skipped, file.written_at, file.first_skipped)


def _labelled(columns: list[str]) -> tuple[bool, Labelled]:
    if len(columns) < LABEL_COLUMNS:
        raise ValueError(f"{LABEL_COLUMNS} columns are needed, found {len(columns)}")
    network, label, *_ = columns
    return pack(network) is not None, (parse_span(network), label)
