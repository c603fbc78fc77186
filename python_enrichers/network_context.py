"""Which addresses are the operator's own, and what the operator calls them."""

from __future__ import annotations

import numpy as np

from python_enrichers.addresses import RangeIndex, Span, pack, parse_span, span
from python_enrichers.base import Enrichment, Indicators, lookup_frame
from python_enrichers.context_files import ContextFile, read_context_file
from spot_oa.settings import Settings

Labelled = tuple[Span, str]


class NetworkContext:
    """Looks addresses up in `ipranges.csv` and `networkcontext.csv`; either may be missing."""

    def __init__(
        self, internal: ContextFile[Span] | None, labelled: ContextFile[Labelled] | None
    ) -> None:
        self._internal = internal
        self._internal_index = RangeIndex(internal.entries if internal else [])
        self._labelled = labelled
        entries = labelled.entries if labelled else []
        self._label_index = RangeIndex([network for network, _ in entries])
        # The last label is the one for position -1, not found.
        self._labels = np.array([*(label for _, label in entries), ""], dtype=object)

    def enrich(self, indicators: Indicators) -> Enrichment:
        """Look addresses up; see `Enricher.enrich`.

        A text that is no address is not internal and has no label.
        """
        addresses = indicators.get("address", ())
        packed = [pack(address) for address in addresses]
        asked = len(packed) - packed.count(None)
        internal = self._internal_index.lookup(packed) >= 0
        label_at = self._label_index.lookup(packed)
        rows = lookup_frame(
            "network_context",
            {
                "ip": addresses,
                "is_internal": internal.astype(int),
                "label": self._labels[label_at],
            },
        )
        outcomes = [
            source.outcome(asked, int(found.sum()))
            for source, found in ((self._internal, internal), (self._labelled, label_at >= 0))
            if source
        ]
        return Enrichment({"network_context": rows}, outcomes)


def load(settings: Settings) -> NetworkContext:
    """Read the two context files.

    Raises:
        EnrichmentError: One is there and cannot be read.
    """
    return NetworkContext(
        read_context_file(settings.context_dir / "ipranges.csv", _internal),
        read_context_file(settings.context_dir / "networkcontext.csv", _labelled),
    )


def _internal(columns: list[str]) -> Span:
    start, end, _label, *_ = columns
    return span(pack(start), pack(end))


def _labelled(columns: list[str]) -> Labelled:
    network, label, *_ = columns
    return parse_span(network), label
