"""Draws the traffic of one address with each of its peers, by direction and volume."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from analyst.pictures.svg import arc, mark, n, path, picture, records, rect, text
from analyst.pictures.text import bad, fitted, many, size

LINES = 28
"""Maximum number of lines; with more peers, the last line sums up the rest."""
WIDTH = 560
_STEP = 14
_TOP = 46
_NAMES = 292
_SENT, _RECEIVED = 478, 548
_NAME_LENGTH = 24
_GAP = 0.03


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    sent: int
    received: int
    known_bad: bool
    others: int = 0

    @property
    def bytes(self) -> int:
        return self.sent + self.received

    @property
    def width(self) -> float:
        # On a linear scale, one exfiltration would hide everything else.
        return math.sqrt(self.sent) + math.sqrt(self.received)


def chord(chords: pd.DataFrame, address: str, known_bad: Collection[str] = ()) -> str:
    """Draw a day's traffic of an address with its suspicious peers.

    Args:
        chords: Columns of `flow_chords`: ip_threat, srcip, dstip, ibyt.
        address: The `ip_threat`.
        known_bad: Addresses with a bad reputation; they get their own lines first.
    """
    lines = _lines(chords, address, known_bad)
    peers = sum(each.others or 1 for each in lines)
    total = sum(each.bytes for each in lines)
    summary = f"{many(peers, 'peer')} · {size(total)} · width: root of bytes"
    if any(each.known_bad for each in lines):
        summary += " · ▲ known bad"
    height = _TOP + (max(len(lines), 6) * _STEP + 10 if lines else 0)
    radius = min(118.0, (height - _TOP) / 2 - 6)
    parts = [
        text(10, 16, fitted(address, 64), css="head"),
        text(10, 31, summary if lines else "no peers", css="dim small"),
        *(_heads() if lines else ()),
        *_drawn(lines, 12 + radius, _TOP + (height - _TOP) / 2, radius),
    ]
    return picture("chord", WIDTH, height, f"{address}: {summary if lines else 'no peers'}", parts)


def _lines(chords: pd.DataFrame, address: str, known_bad: Collection[str]) -> list[_Line]:
    sums: dict[str, list[int]] = {}
    columns = {"ip_threat": "", "srcip": "", "dstip": "", "ibyt": 0}
    for threat, source, target, sent in records(chords, columns):
        # An address is not a peer of itself.
        if threat == address and source != target and address in (source, target):
            peer, way = (target, 0) if source == address else (source, 1)
            sums.setdefault(peer, [0, 0])[way] += int(sent)
    lines = sorted(
        (_Line(peer, ways[0], ways[1], peer in known_bad) for peer, ways in sums.items()),
        key=lambda each: (not each.known_bad, -each.bytes, each.name),
    )
    if len(lines) <= LINES:
        return lines
    shown, rest = lines[: LINES - 1], lines[LINES - 1 :]
    among = sum(each.known_bad for each in rest)
    name = many(len(rest), "other") + (f", {among} known bad" if among else "")
    sent, received = sum(each.sent for each in rest), sum(each.received for each in rest)
    return [*shown, _Line(name, sent, received, among > 0, len(rest))]


def _heads() -> list[str]:
    return [
        rect(_SENT - 38, 24, 8, 8, "out"),
        text(_SENT, 32, "sent", css="dim small", anchor="end"),
        rect(_RECEIVED - 58, 24, 8, 8, "in"),
        text(_RECEIVED, 32, "received", css="dim small", anchor="end"),
    ]


def _drawn(lines: list[_Line], x: float, y: float, radius: float) -> list[str]:
    # The address on the left half of a circle, its peers on the right.
    reach = 0.33 * math.pi if lines else 0.0
    least = 0.004
    total = sum(each.width for each in lines) or 1.0
    room = 2 * reach - _GAP * max(len(lines) - 1, 0) - least * len(lines)
    parts = []
    if lines:
        left = math.pi - reach, math.pi + reach
        start = _at(x, y, radius + 4, left[0])
        parts.append(path(f"M{start}{arc(x, y, radius + 4, *left)}", "hub"))
    angle, from_angle = -reach, math.pi + reach
    for place, each in enumerate(lines):
        share = max(room, 0.0) * each.width / total + least
        end = angle + share
        hub_share = 2 * reach * each.width / total if each.width else 0.0
        body = _ribbons(each, (x, y, radius), (angle, end), (from_angle, from_angle - hub_share))
        from_angle -= hub_share
        rim = "rim bad" if each.known_bad else "rim"
        begin = _at(x, y, radius + 4, angle)
        body += path(f"M{begin}{arc(x, y, radius + 4, angle, end)}", rim)
        middle = (angle + end) / 2
        row = _TOP + place * _STEP + 10
        tip_x, tip_y = x + (radius + 9) * math.cos(middle), y + (radius + 9) * math.sin(middle)
        near, far = n(_NAMES - 34), n(_NAMES - 5)
        bend = f"M{n(tip_x)} {n(tip_y)}C{near} {n(tip_y)} {near} {n(row - 4)} {far} {n(row - 4)}"
        body += path(bend, "lead")
        name = bad(fitted(each.name, _NAME_LENGTH - 2 * each.known_bad), each.known_bad)
        body += text(_NAMES, row, name, css="bad" if each.known_bad else "")
        body += text(_SENT, row, size(each.sent or None), css="dim", anchor="end")
        body += text(_RECEIVED, row, size(each.received or None), css="dim", anchor="end")
        label = (
            f"{bad(each.name, each.known_bad)}: sent {size(each.sent)}, "
            f"received {size(each.received)}"
        )
        parts.append(mark(label, body, pick=None if each.others else each.name))
        angle = end + _GAP
    return parts


def _ribbons(
    each: _Line,
    place: tuple[float, float, float],
    right: tuple[float, float],
    left: tuple[float, float],
) -> str:
    x, y, radius = place
    part = math.sqrt(each.sent) / each.width if each.width else 0.0
    ways = (
        ("out", 0.0, part, each.sent),
        ("in", part, 1.0, each.received),
    )
    body = ""
    for css, start, end, count in ways:
        if count:
            a, b = (right[0] + share * (right[1] - right[0]) for share in (start, end))
            c, d = (left[0] + share * (left[1] - left[0]) for share in (start, end))
            centre = f"Q{n(x)} {n(y)} "
            body += path(
                f"M{_at(x, y, radius, a)}{arc(x, y, radius, a, b)}{centre}{_at(x, y, radius, d)}"
                f"{arc(x, y, radius, d, c)}{centre}{_at(x, y, radius, a)}Z",
                f"ribbon {css}",
            )
    return body


def _at(x: float, y: float, radius: float, angle: float) -> str:
    return f"{n(x + radius * math.cos(angle))} {n(y + radius * math.sin(angle))}"
