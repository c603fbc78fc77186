"""Draws a day, minute by minute: received events, gaps, and the suspicious events below."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from analyst.pictures.svg import line, mark, n, path, picture, records, rect, text
from analyst.pictures.text import bad, clock, cut, many, number

MINUTES = 24 * 60
STEP = 5
"""Minutes of a step."""
WIDTH = 1120
_LEFT, _RIGHT, _TOP, _BAND = 96, 12, 8, 84
_AREA = 46
_SHORTEST = 3
_DUE = 12
_TIMES = 4
_SILENCES = 8
_HALF_HOUR = 30
_HALF_HOURS = 8


@dataclass(frozen=True, slots=True)
class Band:
    """One source of events: the received and the suspicious ones."""

    name: str
    received: pd.DataFrame
    """Columns of `<pipeline>_ingest_summary`: tdate, total."""
    events: pd.DataFrame
    """One row per suspicious event: minute (of the day, or missing), known_bad."""
    steady: bool = True
    """Whether silence counts as a gap: true for a source, false for a single address."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Minutes without events although some were due: `first` is included, `end` is not."""

    first: int
    end: int

    def __str__(self) -> str:
        return f"{clock(self.first)} to {clock(self.end)} ({many(self.end - self.first, 'minute')})"


def minutes(received: pd.DataFrame) -> list[int]:
    """Return the number of events in each minute of the day."""
    counts = [0] * MINUTES
    for tdate, total in records(received, {"tdate": "", "total": 0}):
        hour, _, minute = str(tdate)[11:16].partition(":")
        if hour.isdecimal() and minute.isdecimal() and int(hour) * 60 + int(minute) < MINUTES:
            counts[int(hour) * 60 + int(minute)] += int(total)
    return counts


def gaps(received: pd.DataFrame) -> list[Gap]:
    """Find gaps in the data, based on the source's own event rate.

    A run of empty minutes is a gap if it has three or more minutes, a dozen events were due in it
    at the rate of the median non-empty half-hour (of the whole day, if that is lower and fewer than
    eight half-hours have events), and, if there are eight or more silences, it is four times as
    long as the median one: a source that sends in bursts is silent between them.
    """
    counts = minutes(received)
    busy = [
        total
        for start in range(0, MINUTES, _HALF_HOUR)
        if (total := sum(counts[start : start + _HALF_HOUR]))
    ]
    if not busy:
        return []
    pace = statistics.median(busy) / _HALF_HOUR
    if len(busy) < _HALF_HOURS:
        # In a few busy half-hours, the median overestimates the rate.
        pace = min(pace, sum(busy) / MINUTES)
    silences, minute = [], 0
    for empty, run in groupby(counts, lambda count: count == 0):
        end = minute + len(list(run))
        if empty:
            silences.append(Gap(minute, end))
        minute = end
    usual = 0.0
    if len(silences) >= _SILENCES:
        usual = statistics.median(each.end - each.first for each in silences)
    return [
        each
        for each in silences
        if (length := each.end - each.first) >= _SHORTEST
        and length * pace >= _DUE
        and length >= _TIMES * usual
    ]


def timeline(bands: Sequence[Band]) -> str:
    """Draw a day: a band per source, five-minute steps, ticks of suspicious events, gaps."""
    height = _TOP + len(bands) * _BAND + 20
    parts: list[str] = []
    for place, band in enumerate(bands):
        parts += _band(band, _TOP + place * _BAND)
    for hour in range(0, 25, 3):
        x = _x(hour * 60)
        anchor = "end" if hour == 24 else "middle"  # noqa: PLR2004 - the day's end
        parts.append(text(x, height - 6, f"{hour:02}:00", css="dim small", anchor=anchor))
    label = "The day, minute by minute: " + ", ".join(each.name for each in bands)
    return picture("timeline", WIDTH, height, label, parts)


def _band(band: Band, top: float) -> Iterable[str]:
    counts = minutes(band.received)
    steps = [sum(counts[start : start + STEP]) for start in range(0, MINUTES, STEP)]
    highest, base = max(steps), top + _AREA
    found = gaps(band.received) if band.steady else []
    yield text(10, top + 14, cut(band.name, 12), css="name")
    yield text(10, top + 29, f"{number(sum(steps))} events", css="dim small")
    yield text(10, top + 43, f"max {number(highest)}/{STEP} min", css="dim small")
    if highest:
        points = "".join(
            f"V{n(base - _AREA * count / highest)}H{n(_x((place + 1) * STEP))}"
            for place, count in enumerate(steps)
        )
        area = path(f"M{n(_x(0))} {n(base)}{points}V{n(base)}Z", "area")
        yield mark(f"{band.name}: {number(sum(steps))} events received", area)
    else:
        yield text(_x(0) + 6, base - 8, "nothing received", css="dim")
    yield line(_x(0), base, _x(MINUTES), base, "axis")
    for gap in found:
        wide = _x(gap.end) - _x(gap.first)
        body = rect(_x(gap.first), top, wide, _AREA, "gap") + rect(
            _x(gap.first), base + 1, wide, 3, "gapline"
        )
        yield mark(f"{band.name}: nothing received {gap}", body)
    yield from _ticks(band, base + 6)


def _ticks(band: Band, top: float) -> Iterable[str]:
    steps: dict[tuple[int, bool], int] = {}
    timeless = 0
    for minute, known in records(band.events, {"minute": None, "known_bad": False}):
        if minute is None:
            timeless += 1
        else:
            step = int(minute) // STEP
            steps[step, bool(known)] = steps.get((step, bool(known)), 0) + 1
    # Known bad events are drawn in a separate row below.
    for (step, known), count in sorted(steps.items()):
        x = (_x(step * STEP) + _x((step + 1) * STEP)) / 2 - 1
        body = rect(x, top + 14 * known, 2.4, 10, "tick bad" if known else "tick")
        noun = "known bad event" if known else "suspicious event"
        span = f"{clock(step * STEP)} to {clock(step * STEP + STEP)}"
        yield mark(bad(f"{band.name} {span}: {many(count, noun)}", known), body)
    if any(known for _, known in steps):
        yield text(_LEFT - 6, top + 23, "▲ known bad", css="bad small", anchor="end")
    if timeless:
        note = f"{many(timeless, 'event')} without a time"
        yield text(WIDTH - _RIGHT, top + 24, note, css="dim small", anchor="end")


def _x(minute: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * minute / MINUTES
