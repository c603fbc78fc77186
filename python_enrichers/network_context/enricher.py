"""Which addresses are the operator's own, and what the operator calls them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from python_enrichers.addresses import (
    RangeIndex,
    Span,
    is_public,
    pack,
    parse_address,
    parse_span,
    span,
    unpack,
)
from python_enrichers.base import Enrichment, Indicators, lookup_frame
from python_enrichers.context_files import ContextFile, read_context_file
from python_enrichers.network_context.netbox import Labelled, read_netbox
from python_enrichers.network_context.reverse_dns import ReverseDns, open_reverse_dns
from spot_oa.errors import EnrichmentError, printable
from spot_oa.settings import Settings

IPRANGES_FORM = "start,end,label or network/bits,label"
RANGE_COLUMNS = 3
LABEL_COLUMNS = 2


class NetworkContext:
    """Looks addresses up in `ipranges.csv`, and their names in several places.

    Args:
        internal: `ipranges.csv`, if it is there.
        labelled: Networks with labels; the first that knows an address wins.
        reverse_dns: Asked for the names of addresses without a label.
        ask_public: Whether it is also asked for addresses that are not internal.
    """

    def __init__(
        self,
        internal: ContextFile[Span] | None,
        labelled: Sequence[ContextFile[Labelled]],
        reverse_dns: ReverseDns | None = None,
        *,
        ask_public: bool = False,
    ) -> None:
        self._internal = internal
        self._internal_index = RangeIndex(internal.entries if internal else [])
        self._labelled = [
            # The last label is the one for position -1, not found.
            (
                file,
                RangeIndex([network for network, _ in file.entries]),
                np.array([*(label for _, label in file.entries), ""], dtype=object),
            )
            for file in labelled
        ]
        self._reverse_dns = reverse_dns
        self._ask_public = ask_public

    def enrich(self, indicators: Indicators) -> Enrichment:
        """Look addresses up; see `Enricher.enrich`.

        A text that is no address is not internal and has no label.
        """
        addresses = indicators.get("address", ())
        packed = [pack(address) for address in addresses]
        asked = len(packed) - packed.count(None)
        internal = self._internal_index.lookup(packed) >= 0
        outcomes = [self._internal.outcome(asked, int(internal.sum()))] if self._internal else []
        label: NDArray[np.object_] = np.full(len(packed), "", dtype=object)
        for file, index, labels in self._labelled:
            at = index.lookup(packed)
            label = np.where(label == "", labels[at], label)
            outcomes.append(file.outcome(asked, int((at >= 0).sum())))
        if self._reverse_dns:
            forms = [
                unpack(address)
                if address and not named and (self._ask_public or ours or not is_public(address))
                else ""
                for address, named, ours in zip(packed, label, internal, strict=True)
            ]
            names, outcome = self._reverse_dns.names([*dict.fromkeys(filter(None, forms))])
            label = np.where(label == "", [names.get(form, "") for form in forms], label)
            outcomes.append(outcome)
        rows = lookup_frame(
            "network_context",
            {"ip": addresses, "is_internal": internal.astype(int), "label": label},
        )
        return Enrichment({"network_context": rows}, outcomes)


def load(settings: Settings, *, fresh: bool = False) -> NetworkContext:
    """Read the context files and the NetBox export.

    Raises:
        EnrichmentError: One is there and cannot be read, or none of its lines can be used.
        ConfigError: The resolver's address is none.
    """
    path = settings.context_dir / "networkcontext.csv"
    own = read_context_file(path, _labelled, "address,label or a/b,label or a-b,label")
    files = (_exact_last(own) if own else None, read_netbox(settings))
    return NetworkContext(
        internal_ranges(settings),
        [file for file in files if file],
        open_reverse_dns(settings, fresh=fresh),
        ask_public=settings.dns_public,
    )


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


def _exact_last(file: ContextFile[tuple[bool, Labelled]]) -> ContextFile[Labelled]:
    """Of ranges of the same width the last wins: an exact address goes before a /32."""
    entries = [entry for _, entry in sorted(file.entries, key=lambda entry: entry[0])]
    return ContextFile(file.name, entries, file.skipped, file.written_at, file.first_skipped)


def _labelled(columns: list[str]) -> tuple[bool, Labelled]:
    if len(columns) < LABEL_COLUMNS:
        raise ValueError(f"{LABEL_COLUMNS} columns are needed, found {len(columns)}")
    network, label, *_ = columns
    return pack(network) is not None, (parse_span(network), label)
