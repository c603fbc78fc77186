"""Draws an anchor with its branches, and each branch with its leaves and their counts."""

from __future__ import annotations

import pandas as pd

from analyst.pictures.svg import (
    bend,
    circle,
    diamond,
    line,
    mark,
    path,
    picture,
    records,
    rect,
    text,
)
from analyst.pictures.text import fitted, many, number

LEAVES = 8
"""Maximum number of leaves of a branch; the rest is summed up."""
WIDTH = 880
_STEP, _TOP = 16, 46
_ROOT, _BRANCH, _LEAF, _BAR = 60, 220, 400, 660


def branches(counted: pd.DataFrame, anchor: str, noun: str) -> str:
    """Draw an anchor, its branches in the order of the frame, and their leaves, most first.

    Args:
        counted: One row per leaf: branch, leaf, total. A branch without leaves has one row.
        anchor: The text of the root.
        noun: The singular noun for the totals.
    """
    found: dict[str, list[tuple[str, int]]] = {}
    for branch, leaf, total in records(counted, {"branch": "", "leaf": None, "total": 0}):
        leaves = found.setdefault(str(branch), [])
        if leaf is not None:
            leaves.append((str(leaf), int(total)))
    highest = max((total for leaves in found.values() for _, total in leaves), default=0) or 1
    whole = sum(total for leaves in found.values() for _, total in leaves)
    rows = {name: _shown(leaves) for name, leaves in found.items()}
    lines = sum(max(len(each), 1) for each in rows.values())
    height = _TOP + max(lines, 1) * _STEP + 8
    root = _TOP + max(lines, 1) * _STEP / 2
    summary = many(whole, noun)
    parts = [text(10, 16, fitted(anchor, 90), css="head"), text(10, 31, summary, css="dim small")]
    leads, drawn = list[str](), []
    row = float(_TOP)
    for branch, leaves in rows.items():
        middle = row + max(len(leaves), 1) * _STEP / 2
        total = sum(count for _, count in found[branch])
        leads.append(bend(_ROOT, root, _BRANCH, middle))
        name = f"{branch}: {number(total)}"
        body = circle(_BRANCH, middle, 5, "node sus" if total else "ring")
        body += text(
            _BRANCH + 10, middle + 4, fitted(name, 26), css="halo sus" if total else "halo"
        )
        drawn.append(mark(f"{branch}: {many(total, noun)}", body))
        for leaf, count in leaves:
            y = row + _STEP / 2
            leads.append(bend(_BRANCH, middle, _LEAF, y))
            body = circle(_LEAF, y, 2.6, "ring")
            body += text(_LEAF + 9, y + 4, fitted(leaf, 36), css="halo")
            body += rect(_BAR, y - 5, max((WIDTH - _BAR - 60) * count / highest, 1), 10, "bar")
            body += text(WIDTH - 8, y + 4, number(count), css="dim", anchor="end")
            drawn.append(mark(f"{leaf}: {many(count, noun)}", body))
            row += _STEP
        if not leaves:
            row += _STEP
    if found:
        parts.append(path("".join(leads), "lead"))
        parts.append(line(_BAR, _TOP, _BAR, height - 8, "axis"))
    parts += [*drawn, mark(anchor, diamond(_ROOT, root, 6, "node inside"), pick=anchor)]
    return picture("branches", WIDTH, height, f"{anchor}: {summary}", parts)


def _shown(leaves: list[tuple[str, int]]) -> list[tuple[str, int]]:
    order = sorted(leaves, key=lambda each: (-each[1], each[0]))
    if len(order) <= LEAVES:
        return order
    rest = order[LEAVES - 1 :]
    return [*order[: LEAVES - 1], (f"and {len(rest):,} more", sum(count for _, count in rest))]
