"""What every measurement is handed."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.run.runner import run_day
from flows.run.summary import Summary
from spot_oa.dates import Slice
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.settings import Settings, load_settings

DATE = DEMO_DATES[0]
LINES = 100_000
"""Lines of results files: as many as the greatest N that is measured."""
WHOLE = ".whole"
"""Stands in a home whose data is all there."""


@dataclass(frozen=True, slots=True)
class Bench:
    """How to measure.

    Attributes:
        folder: Where the measured days are made, and kept for the next time.
        sizes: Raw events a day.
        runs: Rounds of which the median is taken.
    """

    folder: Path
    sizes: Sequence[int]
    runs: int

    def home(
        self,
        pipeline: str,
        rows: int,
        *,
        lines: int = LINES,
        dates: Sequence[dt.date] = (DATE,),
    ) -> Settings:
        """A home with the demo's telemetry and results; made if it is not there yet."""
        lines = min(lines, rows)
        days = f"-{len(dates)}-days" if len(dates) > 1 else ""
        home = self.folder / f"{pipeline}-{size(rows)}-{size(lines)}{days}"
        if not (home / WHOLE).exists():
            shutil.rmtree(home, ignore_errors=True)
            generate(home, dates=dates, pipelines=(pipeline,), rows_per_day=rows, suspicious=lines)
            (home / WHOLE).touch()
        return load_settings(home=home)


class Quiet:
    """A reporter that tells nobody."""

    def note(self, message: str) -> None:
        """See `Reporter`."""

    def progress(self, message: str) -> None:
        """See `Reporter`."""

    def started(self, step: str) -> None:
        """See `Reporter`."""

    def finished(self, step: str, seconds: float, detail: str) -> None:
        """See `Reporter`."""


def ran(settings: Settings, pipeline: str, limit: int, date: dt.date = DATE) -> Summary:
    """Run the pipeline for the day."""
    return run_day(settings, Slice(pipeline, date).pipeline, date, Quiet(), limit=limit)


def size(rows: int) -> str:
    """`10M`, `3k`, `500`."""
    for unit, name in ((1_000_000, "M"), (1000, "k")):
        if rows >= unit and rows % unit == 0:
            return f"{rows // unit}{name}"
    return str(rows)


def rows(text: str) -> int:
    """What `size` has written."""
    units = {"M": 1_000_000, "k": 1000}
    return int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)
