"""Texts of the scorer's reasons, with numbers from the events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from spot_oa.errors import printable

LEAST = 0.5
"""Reasons with fewer bits are not shown."""
MOST = 3
"""Maximum number of reasons in a text."""
LONGEST = 80
"""Maximum number of characters of a name from traffic."""
REGULAR = 4
"""From this value on, gaps deviate by less than half their mean."""
FAMILIES: Mapping[str, str] = {
    **dict.fromkeys(("up", "long", "sublen", "frame", "urilen"), "much"),
    **dict.fromkeys(("beacon", "fan", "ports", "miss", "names", "nx"), "often"),
}
"""Reason -> its family; only the strongest reason of a family counts, all others add up."""
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_KIBI = 1024
_HOUR, _MINUTE = 3600, 60
_NEW_AGENT = 32

Row = Mapping[str, Any]


def counted(row: Row, reasons: tuple[str, ...], much: float, inbound: float) -> dict[str, float]:
    """Return the bits of each reason of a row, most first, without reasons of 0 bits.

    Args:
        row: A row of the scorer's model: `b_<reason>` and `way`.
        reasons: Names of the pipeline's reasons.
        much: Weight of the family `much`.
        inbound: Weight of inbound connections.
    """
    weight = inbound if row["way"] == "in" else 1.0
    found: dict[str, float] = {}
    best: dict[str, tuple[float, str]] = {}
    for name in reasons:
        bits = float(row[f"b_{name}"] or 0)
        family = FAMILIES.get(name)
        if family is None:
            found[name] = bits * weight
        elif bits > best.get(family, (0.0, ""))[0]:
            best[family] = bits, name
    for family, (bits, name) in best.items():
        found[name] = bits * weight * (much if family == "much" else 1.0)
    positive = {name: bits for name, bits in found.items() if bits > 0}
    return dict(sorted(positive.items(), key=lambda item: (-item[1], reasons.index(item[0]))))


def reason_text(row: Row, bits: Mapping[str, float], service: str, days: int) -> str:
    """Describe a row's strongest reasons: `tcp/1177 used by 1 of 21 clients in 2 days (+5.9); ...`.

    Args:
        row: A row of the scorer's model.
        bits: The result of `counted` for the row.
        service: Display name of the row's service.
        days: Number of compared days, including the row's day.

    Returns:
        At most `MOST` reasons of `LEAST` bits or more; empty without such reasons.
    """
    shown = [name for name, value in bits.items() if value >= LEAST][:MOST]
    peer, service = _name(row["p_text"]), _name(service)
    return "; ".join(
        f"{_TEXTS[name](row, service, peer, days)} (+{bits[name]:.1f})" for name in shown
    )


def size(count: float) -> str:
    """Format a number of bytes: `4.7 GiB`."""
    unit = 0
    while count >= _KIBI and unit < len(_UNITS) - 1:
        count /= _KIBI
        unit += 1
    return f"{count:.1f} {_UNITS[unit]}" if unit else f"{count:.0f} bytes"


def duration(seconds: float) -> str:
    """Format a duration: `12 s`, `4.5 min`, `0.9 h` from half an hour on."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR / 2:
        return f"{seconds / _MINUTE:.1f} min"
    return f"{seconds / _HOUR:.1f} h"


def _name(text: object) -> str:
    # Semicolons separate reasons, so replace those in text from traffic.
    shown = printable(text).replace(";", ",")
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."


def _count(number: Any, one: str, more: str = "") -> str:
    return f"{int(number):,} {one if int(number) == 1 else more or one + 's'}"


def _of_clients(row: Row, column: str, days: int) -> str:
    span = f" in {days} days" if days > 1 else ""
    return f"{int(row[column]):,} of {_count(row['entities'], 'client')}{span}"


def _times(sent: float, usual_bin: int) -> str:
    """Format the ratio to the usual amount, the middle of the median's bin, to one digit."""
    factor = sent / (0.75 * 2.0**usual_bin)
    digits = 10 ** max(len(str(int(factor))) - 1, 0)
    return f"{int(factor / digits + 0.5) * digits:,}"


def _up(row: Row, service: str, peer: str, days: int) -> str:  # noqa: ARG001 - common signature
    sent = float(row["bytes_up"])
    usual = int(row["usual_up"] or 0)
    if not usual:
        return f"{size(sent)} sent, where {service} usually sends nothing"
    return f"{size(sent)} sent, about {_times(sent, usual)} times the usual of {service}"


def _beacon(row: Row, service: str, peer: str, days: int) -> str:  # noqa: ARG001
    gaps = int(row["gaps"])
    mean = duration(float(row["gap_seconds"]) / gaps)
    if int(row["beacon"]) >= REGULAR:
        return f"every {mean}, {_count(gaps + 1, 'time')}, regular"
    return f"every {mean} on average, {_count(gaps + 1, 'time')}"


def _agent(row: Row, service: str, peer: str, days: int) -> str:  # noqa: ARG001
    used = f"user agent of {_of_clients(row, 'agent_entities', days)}"
    return f"{used}, new to this one" if int(row["agent"]) >= _NEW_AGENT else used


def _label(row: Row, service: str, peer: str, days: int) -> str:  # noqa: ARG001
    return f"unusual form of the name {peer.partition('.')[0]}"


def _known(days: int) -> str:
    return _count(days - 1, "day") + " known"


_TEXTS: Mapping[str, Callable[[Row, str, str, int], str]] = {
    "svc": lambda row, service, _, days: (
        f"{service} used by {_of_clients(row, 'service_entities', days)}"
    ),
    "newsvc": lambda _, service, __, days: (
        f"{service} never used by this client before ({_known(days)})"
    ),
    "peer": lambda row, _, peer, days: (
        f"{peer} contacted by {_of_clients(row, 'peer_entities', days)}"
    ),
    "newpeer": lambda _, __, peer, days: (
        f"{peer} never contacted by this client before ({_known(days)})"
    ),
    "newnet": lambda _, __, peer, days: f"{peer} new to the network ({_known(days)})",
    "up": _up,
    "long": lambda row, *_: f"connection of {duration(float(row['longest']))}",
    "beacon": _beacon,
    "fan": lambda row, service, *_: f"{service} to {_count(row['fan_peers'], 'peer')}",
    "ports": lambda row, _, peer, __: (
        f"{_count(row['pair_services'], 'service')} of {peer} contacted"
    ),
    "miss": lambda row, *_: (
        f"{_count(row['misses'], 'service')} of peers do not answer this client"
    ),
    "gibr": _label,
    "sublen": lambda row, _, peer, __: (
        f"names of up to {_count(row['longest_below'], 'character')} below {peer}"
    ),
    "frame": lambda row, _, peer, __: (
        f"answers of up to {_count(row['longest_frame'], 'byte')} for {peer}"
    ),
    "names": lambda row, _, peer, __: f"{_count(row['pair_names'], 'name')} below {peer}",
    "nx": lambda row, *_: f"{_count(row['nx_domains'], 'domain')} asked for that do not exist",
    "agent": _agent,
    "iplit": lambda _, __, peer, ___: f"{peer} addressed by its number",
    "urilen": lambda row, *_: f"URI of {_count(row['longest_uri'], 'character')}",
}
