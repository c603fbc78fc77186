"""Draws the network of the suspicious connections."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analyst.pictures.svg import circle, diamond, mark, n, path, picture, records, text, triangle
from analyst.pictures.text import bad, fitted, many

WIDTH = 1120
ADDRESSES = 400
"""Maximum number of addresses drawn: the layout is slow, and nobody reads more."""
PEERS = 24
"""Maximum number of a hub's exclusive peers that are drawn."""
_TOP = 44
_ROUNDS = 80
_LEAST = 3
_ALL_NAMES = 9
_LINE, _REACH = 16, 116
_LETTER = 6.2
_EDGE = 22.0
_NAME = 26
_SIGN = 3

Pair = tuple[str, str]


@dataclass(slots=True)
class _Shown:
    pairs: list[Pair]
    lone: int
    more: dict[str, int]
    """Peers of a hub that are not drawn."""
    beyond: int
    """Pairs left out because there are too many addresses."""


def network(connections: pd.DataFrame, known_bad: Collection[str] = ()) -> str:
    """Draw the suspicious connections, most suspicious first.

    Args:
        connections: Rows of `flow_scores`: srcip, dstip, srcip_internal, destip_internal.
        known_bad: Addresses with a bad reputation.
    """
    inside, pairs = _pairs(connections)
    shown = _shown(pairs, known_bad)
    addresses = list(dict.fromkeys(end for pair in shown.pairs for end in pair))
    degree: dict[str, int] = dict(shown.more)
    for pair in shown.pairs:
        for end in pair:
            degree[end] = degree.get(end, 0) + 1
    groups = sorted(
        _groups(shown.pairs),
        key=lambda group: (not any(each in known_bad for each in group), -len(group), group[0]),
    )
    # If an address has few peers, they are drawn as a list next to it.
    fans = [group for group in groups if _is_fan(group, shown.pairs)]
    places, bottom = _packed(
        [_fan(group) if group in fans else _laid_out(group, shown.pairs) for group in groups]
    )
    hubs = {group[0] for group in fans}
    everyone = len({end for pair in pairs for end in pair})
    summary = f"{many(everyone, 'address', 'addresses')}, {many(len(pairs), 'pair')}"
    parts = [
        text(10, 16, summary, css="head"),
        text(10, 31, "◆ inside ● outside ▲ known bad · size: suspicious peers", css="dim small"),
    ]
    names = {address for group in groups if len(group) <= _ALL_NAMES for address in group}
    edges = (places[one] + places[other] for one, other in shown.pairs)
    drawn = "".join(f"M{n(x1)} {n(y1)}L{n(x2)} {n(y2)}" for x1, y1, x2, y2 in edges)
    parts.append(path(drawn, "edge"))
    # Draw small nodes first, so that a hub and its name are on top.
    for address in sorted(addresses, key=lambda each: (degree[each], each in known_bad, each)):
        named = address in names or address in known_bad or degree[address] >= _LEAST
        parts.append(
            _node(
                address,
                places[address],
                degree[address],
                named=named,
                above=address in hubs,
                shown=shown,
                inside=inside,
                known_bad=known_bad,
            )
        )
    left_out = [
        *([f"{many(shown.lone, 'lone pair')} not drawn"] if shown.lone else []),
        *([f"{many(sum(shown.more.values()), 'more peer')} at hubs"] if shown.more else []),
        *([f"{many(shown.beyond, 'pair')} beyond {ADDRESSES} addresses"] if shown.beyond else []),
    ]
    height = bottom + 30
    foot = " · ".join([f"{many(len(shown.pairs), 'pair')} drawn", *left_out])
    parts.append(text(10, height - 10, foot, css="dim small"))
    return picture("network", WIDTH, height, f"{summary}; {foot}", parts)


def _pairs(connections: pd.DataFrame) -> tuple[dict[str, bool], list[Pair]]:
    """Return which addresses are inside, and each pair once, regardless of direction."""
    inside: dict[str, bool] = {}
    pairs: dict[Pair, None] = {}
    columns = {"srcip": None, "dstip": None, "srcip_internal": 0, "destip_internal": 0}
    for source, target, from_inside, to_inside in records(connections, columns):
        if source is None or target is None or source == target:
            continue
        inside.setdefault(source, bool(from_inside))
        inside.setdefault(target, bool(to_inside))
        pairs.setdefault((min(source, target), max(source, target)))
    return inside, list(pairs)


def _shown(pairs: Sequence[Pair], known_bad: Collection[str]) -> _Shown:
    peers: dict[str, list[str]] = {}
    for one, other in pairs:
        peers.setdefault(one, []).append(other)
        peers.setdefault(other, []).append(one)
    kept: list[Pair] = []
    lone, more, drawn = 0, dict[str, int](), dict[str, int]()
    for one, other in pairs:
        alone = len(peers[one]) == len(peers[other]) == 1
        evil = one in known_bad or other in known_bad
        if alone and not evil:
            lone += 1
            continue
        hub = _hub(one, other, peers)
        if hub and not evil and drawn.get(hub, 0) >= PEERS:
            more[hub] = more.get(hub, 0) + 1
            continue
        if hub:
            drawn[hub] = drawn.get(hub, 0) + 1
        kept.append((one, other))
    addresses: set[str] = set()
    within, beyond = [], 0
    for pair in kept:
        if len(addresses | set(pair)) > ADDRESSES:
            beyond += 1
        else:
            addresses.update(pair)
            within.append(pair)
    # A hub that is not drawn has no label for its further peers.
    gone = sum(count for hub, count in more.items() if hub not in addresses)
    more = {hub: count for hub, count in more.items() if hub in addresses}
    return _Shown(within, lone, more, beyond + gone)


def _hub(one: str, other: str, peers: Mapping[str, Sequence[str]]) -> str:
    """Return the end of a pair whose other end has no other peer."""
    if len(peers[one]) > 1 and len(peers[other]) == 1:
        return one
    return other if len(peers[other]) > 1 and len(peers[one]) == 1 else ""


def _groups(pairs: Sequence[Pair]) -> list[list[str]]:
    """Return the connected groups, largest first; within a group most connected first."""
    root: dict[str, str] = {}

    def find(address: str) -> str:
        while root.setdefault(address, address) != address:
            root[address] = root[root[address]]
            address = root[address]
        return address

    degree: dict[str, int] = {}
    for one, other in pairs:
        root[find(other)] = find(one)
        for end in (one, other):
            degree[end] = degree.get(end, 0) + 1
    groups: dict[str, list[str]] = {}
    for address in degree:
        groups.setdefault(find(address), []).append(address)
    for group in groups.values():
        group.sort(key=lambda each: (-degree[each], each))
    return sorted(groups.values(), key=lambda group: (-len(group), group[0]))


def _is_fan(group: Sequence[str], pairs: Sequence[Pair]) -> bool:
    _, *peers = group
    members = set(peers)
    return len(group) <= _ALL_NAMES and not any(
        one in members and other in members for one, other in pairs
    )


def _fan(group: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Place an address on the left, and its peers in a column."""
    hub, *peers = group
    middle = _LINE * (len(peers) - 1) / 2
    places = {peer: (_REACH, row * _LINE + 8) for row, peer in enumerate(peers)}
    # The name is drawn above the address.
    return {hub: (0.0, max(middle, 10.0) + 8), **places}


def _laid_out(group: list[str], pairs: Sequence[Pair]) -> dict[str, tuple[float, float]]:
    """Place a group's addresses, hub first, with the layout of Fruchterman and Reingold."""
    count = len(group)
    index = {address: place for place, address in enumerate(group)}
    edges = np.array(
        [(index[one], index[other]) for one, other in pairs if one in index], dtype=np.int64
    ).reshape(-1, 2)
    # Deterministic start: on a spiral, the most connected in the middle.
    turn = np.arange(count) * math.pi * (3 - math.sqrt(5))
    at = np.sqrt(np.arange(count))[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for step in range(_ROUNDS if count > 2 else 0):  # noqa: PLR2004 - two lie beside each other
        apart = at[:, None, :] - at[None, :, :]
        square = np.maximum((apart**2).sum(axis=2), 1e-4)
        push = (apart / square[:, :, None]).sum(axis=1)
        along = at[edges[:, 1]] - at[edges[:, 0]]
        pull = along * np.sqrt((along**2).sum(axis=1))[:, None]
        np.add.at(push, edges[:, 0], pull)
        np.add.at(push, edges[:, 1], -pull)
        length = np.maximum(np.sqrt((push**2).sum(axis=1)), 1e-9)
        limit = 0.1 * math.sqrt(count) * (1 - step / _ROUNDS) + 0.01
        at += push / length[:, None] * np.minimum(length, limit)[:, None]
    at -= at.min(axis=0)
    # Wide enough for the addresses and for a name or two.
    wide = min(60 + 44 * math.sqrt(count), WIDTH / 2 - 20)
    scale = np.array([wide, wide * 0.72]) / np.maximum(at.max(axis=0), 1e-9)
    at = at * (scale if count > 2 else np.array([wide / max(at.max(), 1e-9), 0.0]))  # noqa: PLR2004
    return {address: (float(at[i, 0]), float(at[i, 1])) for address, i in index.items()}


def _packed(
    groups: Sequence[Mapping[str, tuple[float, float]]],
) -> tuple[dict[str, tuple[float, float]], float]:
    """Arrange groups in rows; return the places and the end of the last row."""
    places: dict[str, tuple[float, float]] = {}
    x, y, tall = _EDGE, _TOP + 14.0, 0.0
    for group in groups:
        name = max(len(fitted(address, _NAME)) for address in group) + _SIGN
        wide = max(place[0] for place in group.values()) + name * _LETTER + 30
        high = max(place[1] for place in group.values()) + 34
        if x > _EDGE and x + wide > WIDTH:
            x, y, tall = _EDGE, y + tall, 0.0
        for address, (right, down) in group.items():
            places[address] = x + right, y + down
        x, tall = x + wide, max(tall, high)
    return places, y + tall


def _node(
    address: str,
    place: tuple[float, float],
    peers: int,
    *,
    named: bool,
    above: bool,
    shown: _Shown,
    inside: Mapping[str, bool],
    known_bad: Collection[str],
) -> str:
    x, y = place
    known = address in known_bad
    radius = min(3.4 + math.sqrt(peers), 11)
    within = "inside" if inside[address] else "outside"
    if known:
        body = triangle(x, y, radius, "node bad")
    else:
        body = (diamond if inside[address] else circle)(x, y, radius, f"node {within}")
    more = f" and {many(shown.more[address], 'more peer')}" if address in shown.more else ""
    label = bad(f"{address}{more}: {within}, {many(peers, 'suspicious peer')}", known)
    if named:
        name = fitted(address, _NAME) + more
        if above:
            body += text(x - radius, y - radius - 6, name, css="halo bad" if known else "halo")
            return mark(label, body, pick=address)
        # If the name does not fit on the right, draw it on the left.
        fits = x + radius + 5 + _LETTER * len(name) < WIDTH
        at = x + radius + 4 if fits else x - radius - 4
        css = "halo bad" if known else "halo"
        body += text(at, y + 4, name, css=css, anchor="" if fits else "end")
    return mark(label, body, pick=address)
