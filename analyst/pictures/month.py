"""Draws published days: received events, known bad events, and missing days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import pandas as pd

from analyst.pictures.svg import line, mark, picture, records, rect, text
from analyst.pictures.text import bad, cut, many, number

DAYS = 31
WIDTH = 1120
_LEFT, _RIGHT, _TOP, _BAND, _UP = 96, 12, 10, 62, 36


def month(
    bands: Mapping[str, pd.DataFrame],
    last: dt.date,
    days: int = DAYS,
    since: Mapping[str, dt.date] | None = None,
) -> str:
    """Draw a row of bars per source, a bar per day; a day that is not published is a block.

    Args:
        bands: Name -> a row per published day: date, received, suspicious, known_bad, gap_minutes.
        last: The last day.
        days: Number of days.
        since: Name -> the first published day, if it is not in the rows.
    """
    dates = [last - dt.timedelta(days=days - 1 - place) for place in range(days)]
    each = (WIDTH - _LEFT - _RIGHT) / days
    parts: list[str] = []
    for row, (name, frame) in enumerate(bands.items()):
        top = _TOP + row * _BAND
        parts.append(text(10, top + 24, cut(name, 12), css="name"))
        parts += _band(name, frame, dates, top, (since or {}).get(name))
        parts.append(line(_LEFT, top + _UP, WIDTH - _RIGHT, top + _UP, "axis"))
    height = _TOP + len(bands) * _BAND + 18
    for place in range(days - 1, -1, -4):
        x = _LEFT + (place + 0.5) * each
        shown = f"{dates[place]:%m-%d}"
        parts.append(text(x, height - 6, shown, css="dim small", anchor="middle"))
    return picture("month", WIDTH, height, f"Published days up to {last}", parts)


def _band(
    name: str, frame: pd.DataFrame, dates: list[dt.date], top: float, since: dt.date | None
) -> Iterable[str]:
    columns = {"date": None, "received": 0, "suspicious": 0, "known_bad": 0, "gap_minutes": 0}
    known = {row[0]: [int(count) for count in row[1:]] for row in records(frame, columns)}
    shown = [known[date] for date in dates if date in known]
    highest = max((row[0] for row in shown), default=0) or 1
    most = max((row[2] for row in shown), default=0) or 1
    each = (WIDTH - _LEFT - _RIGHT) / len(dates)
    first = since or min(known, default=None)
    for place, date in enumerate(dates):
        x, wide = _LEFT + place * each + 1, each - 2
        if date in known:
            received, suspicious, evil, gap = known[date]
            tall = _UP * received / highest
            body = rect(x, top + _UP - tall, wide, tall, "bar")
            body += rect(x, top + _UP + 2, wide * evil / most, 5, "bar bad") if evil else ""
            body += rect(x, top + _UP + 9, wide * gap / 1440, 3, "gapline") if gap else ""
            label = (
                f"{name} {date}: {many(received, 'event')} received, {number(suspicious)} "
                f"suspicious, {number(evil)} known bad, {many(gap, 'minute')} of gaps"
            )
            yield mark(bad(label, evil > 0), body)
        elif first is not None and date > first:
            # Days before the first published one are not missing.
            body = rect(x, top, wide, _UP, "gap") + line(x, top + _UP, x + wide, top, "missing")
            yield mark(f"{name} {date}: not published", body)
