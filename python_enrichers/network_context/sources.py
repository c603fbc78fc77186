"""The interface of sources of names for addresses, and networks read from a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from python_enrichers.addresses import Packed, RangeIndex, Span
from python_enrichers.base import Outcome
from python_enrichers.context_files import ContextFile

Labelled = tuple[Span, str]
"""A network and its name."""


class Asked(NamedTuple):
    """An address to be named."""

    packed: Packed | None
    """None if the text is not an address."""
    is_internal: bool
    has_name: bool
    """Whether an earlier source has already given a name, which wins."""


class NameSource(Protocol):
    """Names addresses. Sources are used one after the other."""

    def names(self, addresses: Sequence[Asked]) -> tuple[Sequence[str], Outcome]:
        """Find names.

        Args:
            addresses: The distinct addresses of the slice, most suspicious first.

        Returns:
            A name for each address, empty if there is none, and the source's outcome.
        """
        ...


class Networks:
    """Networks with names, from a file; the narrowest network that contains an address wins."""

    def __init__(self, file: ContextFile[Labelled]) -> None:
        self._file = file
        self._index = RangeIndex([network for network, _ in file.entries])
        # The last item is for position -1, not found.
        self._names = np.array([*(name for _, name in file.entries), ""], dtype=object)

    def names(self, addresses: Sequence[Asked]) -> tuple[Sequence[str], Outcome]:
        """See `NameSource.names`."""
        packed = [address.packed for address in addresses]
        at = self._index.lookup(packed)
        asked = len(packed) - packed.count(None)
        return self._names[at].tolist(), self._file.outcome(asked, int((at >= 0).sum()))
