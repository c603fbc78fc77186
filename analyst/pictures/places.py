"""Draws the places of suspicious events' outside ends as bars."""

from __future__ import annotations

import pandas as pd

from analyst.pictures.svg import mark, picture, records, rect, text
from analyst.pictures.text import bad, fitted, many, number

PLACES = 15
"""Maximum number of places; the rest is summed up."""
WIDTH = 1120
_BARS, _STEP, _TOP = 470, 20, 24


def places(counted: pd.DataFrame) -> str:
    """Draw how many suspicious ends each place has.

    Args:
        counted: One row per place: place, ends, known_bad (of these ends).
    """
    rows = sorted(
        _rows(counted),
        key=lambda row: (-row[2], -row[1], row[0]),
    )
    if len(rows) > PLACES:
        rest = rows[PLACES - 1 :]
        there = many(len(rest), "other place")
        rows = [*rows[: PLACES - 1], (there, sum(r[1] for r in rest), sum(r[2] for r in rest))]
    highest = max((ends for _, ends, _ in rows), default=1)
    parts = [
        text(_BARS - 16, 13, "suspicious ends", css="dim small", anchor="end"),
        text(_BARS, 13, "▲ known bad, then the others", css="dim small"),
    ]
    for row, (place, ends, known) in enumerate(rows):
        y = _TOP + row * _STEP
        scale = (WIDTH - _BARS - 20) / max(highest, 1)
        body = text(10, y + 12, bad(fitted(place, 52), known > 0), css="bad" if known else "")
        body += text(_BARS - 16, y + 12, number(ends), css="dim", anchor="end")
        # Known bad ends fill the lower half of the bar, from its beginning.
        body += rect(_BARS, y + 2, ends * scale, 12, "bar")
        body += rect(_BARS, y + 8, known * scale, 6, "bar bad") if known else ""
        label = f"{place}: {many(ends, 'suspicious end')}, {number(known)} known bad"
        parts.append(mark(bad(label, known > 0), body))
    if not rows:
        parts.append(text(10, _TOP + 12, "no place is known", css="dim"))
    height = _TOP + max(len(rows), 1) * _STEP + 6
    return picture("places", WIDTH, height, f"Places: {many(len(rows), 'line')}", parts)


def _rows(counted: pd.DataFrame) -> list[tuple[str, int, int]]:
    columns = {"place": "", "ends": 0, "known_bad": 0}
    return [(str(place), int(e), int(known)) for place, e, known in records(counted, columns)]
