"""Draws the distribution of the suspicious events' scores, with known bad events apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import pandas as pd

from analyst.pictures.svg import line, mark, picture, records, rect, text
from analyst.pictures.text import bad, cut, many

WIDTH = 560
_LEFT, _RIGHT, _TOP, _BAND = 88, 14, 22, 104
_UP, _DOWN = 54, 30
_PER_DECADE = 3
_MOST = 60


def scores(bands: Mapping[str, pd.DataFrame]) -> str:
    """Draw a histogram per source over the logarithm of the score.

    Args:
        bands: Name -> one row per suspicious event: score, known_bad. Known bad events are drawn
            below the line.
    """
    read = {
        name: records(rows, {"score": None, "known_bad": False}) for name, rows in bands.items()
    }
    counted = {
        name: Counter(
            (_bin(score), bool(known)) for score, known in rows if score is not None and score > 0
        )
        for name, rows in read.items()
    }
    bins = [place for counts in counted.values() for place, _ in counts]
    low, high = (min(bins), max(bins) + 1) if bins else (-3, 0)
    # Merge bins if there is no room for all of them.
    wide = max(1, math.ceil((high - low) / _MOST))
    height = _TOP + len(bands) * _BAND + 8
    parts = [text(_LEFT, 14, "← more suspicious", css="dim small")]
    for place, (name, rows) in enumerate(read.items()):
        top = _TOP + place * _BAND
        parts += _band(name, counted[name], (low, high, wide), top)
        outside = sum(score is None or score <= 0 for score, _ in rows)
        parts.append(text(10, top + 29, many(len(rows), "event"), css="dim small"))
        if outside:
            parts.append(text(10, top + 43, f"{outside:,} of 0 or none", css="dim small"))
    label = "Scores of the suspicious events: " + ", ".join(bands)
    return picture("scores", WIDTH, height, label, parts)


def _band(
    name: str, counts: Counter[tuple[int, bool]], scale: tuple[int, int, int], top: float
) -> list[str]:
    low, high, wide = scale
    merged: Counter[tuple[int, bool]] = Counter()
    for (place, known), count in counts.items():
        merged[(place - low) // wide, known] += count
    slots = math.ceil((high - low) / wide)
    each = (WIDTH - _LEFT - _RIGHT) / slots
    highest = max(merged.values(), default=1)
    base = top + _UP
    parts = [
        text(10, top + 14, cut(name, 12), css="name"),
        line(_LEFT, base, WIDTH - _RIGHT, base, "axis"),
    ]
    for (slot, known), count in sorted(merged.items()):
        tall = max(1.0, count / highest * (_DOWN if known else _UP))
        x = _LEFT + slot * each
        body = rect(
            x + 0.5,
            base + 1 if known else base - tall,
            max(each - 1, 0.6),
            tall,
            "bar bad" if known else "bar",
        )
        span = f"{_shown(low + slot * wide)} to {_shown(low + (slot + 1) * wide)}"
        noun = "known bad event" if known else "suspicious event"
        parts.append(mark(bad(f"{name}: {many(count, noun)}, score {span}", known), body))
    if any(known for _, known in merged):
        parts.append(text(_LEFT - 6, base + 13, "▲ known bad", css="bad small", anchor="end"))
    last = -99.0
    for decade in range(math.ceil(low / _PER_DECADE), high // _PER_DECADE + 1):
        x = _LEFT + (decade * _PER_DECADE - low) / wide * each
        if x - last >= 38:  # noqa: PLR2004 - as wide as the text
            parts.append(
                text(x, base + _DOWN + 13, f"1e{decade}", css="dim small", anchor="middle")
            )
            last = x
    return parts


def _bin(score: float) -> int:
    # An infinite score is the least suspicious.
    return math.floor(math.log10(min(score, 1e308)) * _PER_DECADE + 1e-9)


def _shown(place: int) -> str:
    decade, third = divmod(place, _PER_DECADE)
    return f"{10 ** (third / _PER_DECADE):.1f}e{decade}"
