"""Finds sources that connect to unusually many others; `flow_fan_out` has the same rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analyst.selectors import Row
from spot_oa.errors import printable


@dataclass(frozen=True, slots=True)
class FanOut:
    """A source, with the number of its peers and of its connections."""

    srcip: str
    peers: int
    connections: int

    def __str__(self) -> str:
        return (
            f"{printable(self.srcip)} connects to {self.peers} others "
            f"({self.connections} connections)"
        )


def fan_out(rows: Iterable[Row], peers: int = 20) -> list[FanOut]:
    """Return the sources with more than `peers` peers, most peers first.

    Args:
        rows: Rows of `flow_scores`.
        peers: The usual maximum. A source is not a peer of itself.
    """
    others: dict[str, set[str]] = {}
    connections: dict[str, int] = {}
    for row in rows:
        source, peer = str(row["srcip"]), row["dstip"]
        connections[source] = connections.get(source, 0) + 1
        others.setdefault(source, set()).update({str(peer)} - {source} if peer else ())
    found = [
        FanOut(source, len(known), connections[source])
        for source, known in others.items()
        if len(known) > peers
    ]
    return sorted(found, key=lambda each: (-each.peers, each.srcip))
