"""Addresses as sortable bytes, and lookup of addresses in many ranges.

IPv4 and IPv6 share one form, 16 bytes in network order, in which IPv4 is `::ffff:a.b.c.d`; so a
v4-mapped IPv6 text equals its IPv4, and the order of the bytes is the order of the addresses.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

Packed = bytes
"""An address: 16 bytes in network order."""

Span = tuple[Packed, Packed]
"""A range of addresses of one family: first and last, both included."""

WIDTH = 16
MAX_DIGITS = 3
"""Maximum number of digits of a prefix length."""
V4_PREFIX = bytes(10) + b"\xff\xff"
V4_FIRST, V4_LAST = V4_PREFIX + bytes(4), V4_PREFIX + b"\xff" * 4


def pack(text: str) -> Packed | None:
    """Read an address.

    Args:
        text: IPv4 in dotted quads or IPv6; no scope id, no blanks, no leading zeros.

    Returns:
        Its 16 bytes, or None if the text is not an address.
    """
    try:
        if ":" in text:
            return socket.inet_pton(socket.AF_INET6, text)
        return V4_PREFIX + socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return None


def is_v4(address: Packed) -> bool:
    """Return whether the address is IPv4, in any notation."""
    return address.startswith(V4_PREFIX)


def unpack(address: Packed) -> str:
    """Format an address in its usual form, IPv4 as dotted quads."""
    if is_v4(address):
        return socket.inet_ntop(socket.AF_INET, address[len(V4_PREFIX) :])
    return socket.inet_ntop(socket.AF_INET6, address)


def is_public(address: Packed) -> bool:
    """Return whether an address is globally reachable, and not multicast."""
    known = ipaddress.ip_address(unpack(address))
    if known.is_multicast or known.is_reserved or not known.is_global:
        return False
    if isinstance(known, ipaddress.IPv4Address):
        return True
    return not (known.is_site_local or known.sixtofour or known.teredo)


def parse_address(text: str) -> Packed:
    """Read an address as `pack` does.

    Raises:
        ValueError: The text is not an address.
    """
    packed = pack(text)
    if packed is None:
        raise ValueError(f"'{text}' is not an address")
    return packed


def span(first: Packed, last: Packed) -> Span:
    """Make a range from its first and last address.

    Raises:
        ValueError: The addresses are of two families, or in the wrong order.
    """
    if first > last or is_v4(first) != is_v4(last):
        raise ValueError(f"{unpack(first)} to {unpack(last)} is not a range")
    return first, last


def parse_span(text: str) -> Span:
    """Read an address, a subnet `a/b` (host bits are allowed) or a range `a-b`.

    Raises:
        ValueError: The text is none of these.
    """
    start, dash, end = text.partition("-")
    if dash:
        return span(parse_address(start.strip()), parse_address(end.strip()))
    address, slash, bits = text.partition("/")
    packed = parse_address(address)
    if not slash:
        return packed, packed
    width = 128 if ":" in address else 32
    if not (bits.isascii() and bits.isdigit() and len(bits) <= MAX_DIGITS) or int(bits) > width:
        raise ValueError(f"'{bits}' is not a prefix length, 0 to {width}")
    number, hosts = int.from_bytes(packed), (1 << (width - int(bits))) - 1
    return (number & ~hosts).to_bytes(WIDTH), (number | hosts).to_bytes(WIDTH)


class RangeIndex:
    """Finds, for many addresses at once, the narrowest range that contains each.

    Of equally wide ranges the last one wins. A range of IPv6 addresses does not contain IPv4
    addresses, even if it includes `::ffff:0:0/96`.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        starts = _array([start for start, _ in spans])
        ends = _array([end for _, end in spans])
        # The ranges cut the address space into segments; within a segment the same range wins.
        # A bound is an address and one byte, 0 for the position before it and 1 for the one after:
        # this avoids adding 1 to 128-bit numbers, and allows searching for NUL-padded addresses.
        cuts = np.stack([_bounds(starts, after=0), _bounds(ends, after=1)], axis=1).ravel()
        if (cuts[:-1] < cuts[1:]).all():
            # Already sorted and disjoint, as in big files: sorting would take most of the time.
            self._bounds, places = cuts, np.arange(len(cuts))
        else:
            places, self._bounds = _sorted(cuts, v4=bool(_v4(starts).all()))
        opens, closes = places[::2], places[1::2]
        winners = _winners(opens, closes, _narrowest_first(starts, ends), len(self._bounds))
        # Segment 0 lies before the first bound.
        self._winners = np.concatenate([[-1], winners])
        self._v4_ranges = np.concatenate([_v4(starts), [True]])

    def lookup(self, addresses: Sequence[Packed | None]) -> NDArray[np.int64]:
        """Find the winning range of each address.

        Args:
            addresses: Packed addresses; None where a text was not an address.

        Returns:
            Positions in the ranges given at construction, -1 if no range contains the address.
        """
        packed = _array([address or bytes(WIDTH) for address in addresses])
        found = self._winners[np.searchsorted(self._bounds, packed, side="right")]
        absent = np.array([address is None for address in addresses], dtype=bool)
        # An IPv4 range is narrower than an IPv6 range around it, so it would have won.
        foreign = _v4(packed)
        foreign[foreign] = ~self._v4_ranges[found[foreign]]
        found[absent | foreign] = -1
        return found


def _array(addresses: Sequence[Packed]) -> NDArray[np.bytes_]:
    return np.frombuffer(b"".join(addresses), dtype=f"S{WIDTH}")


def _v4(packed: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    return (packed >= V4_FIRST) & (packed <= V4_LAST)


def _bounds(packed: NDArray[np.bytes_], *, after: int) -> NDArray[np.bytes_]:
    cut = np.full((len(packed), WIDTH + 1), after, dtype=np.uint8)
    cut[:, :WIDTH] = packed.view(np.uint8).reshape(-1, WIDTH)
    return cut.view(f"S{WIDTH + 1}").ravel()


def _sorted(cuts: NDArray[np.bytes_], *, v4: bool) -> tuple[NDArray[np.int64], NDArray[np.bytes_]]:
    """Return the position of each bound among the distinct sorted bounds, and these bounds."""
    if not v4:
        bounds, places = np.unique(cuts, return_inverse=True)
        return places, bounds
    # Sort the last five bytes as numbers: ten times faster.
    tails = cuts.view(np.uint8).reshape(-1, WIDTH + 1)[:, len(V4_PREFIX) :].astype(np.int64)
    numbers = tails @ (1 << np.arange(32, -1, -8))
    _, first, places = np.unique(numbers, return_index=True, return_inverse=True)
    return places, cuts[first]


def _narrowest_first(starts: NDArray[np.bytes_], ends: NDArray[np.bytes_]) -> NDArray[np.int64]:
    first, last = (packed.view(">u8").reshape(-1, 2) for packed in (starts, ends))
    low = last[:, 1] - first[:, 1]
    high = last[:, 0] - first[:, 0] - (last[:, 1] < first[:, 1])
    return np.lexsort((-np.arange(len(starts)), low, high))


def _winners(
    opens: NDArray[np.int64],
    closes: NDArray[np.int64],
    best_first: NDArray[np.int64],
    segments: int,
) -> NDArray[np.int64]:
    """Find the best range of each segment; range i covers segments opens[i] to closes[i] - 1."""
    winners = np.full(segments, -1, dtype=np.int64)
    if (closes - opens == 1).all():
        winners[opens[best_first[::-1]]] = best_first[::-1]
        return winners
    # Sweep over the segments, with a heap of the open ranges by rank; rank 0 is the best.
    ranks = np.argsort(opens[best_first], kind="stable").tolist()
    open_at, close_at = opens[best_first].tolist(), closes[best_first].tolist()
    heap: list[int] = []
    ahead = 0
    for segment in range(segments):
        while ahead < len(ranks) and open_at[ranks[ahead]] == segment:
            heappush(heap, ranks[ahead])
            ahead += 1
        while heap and close_at[heap[0]] <= segment:
            heappop(heap)
        if heap:
            winners[segment] = best_first[heap[0]]
    return winners
