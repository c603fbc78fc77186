"""Score and measure the labelled days below `SPOT_OA_REFERENCE_DIR`, with the tools there."""

from __future__ import annotations

import datetime as dt
import importlib.util
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb

from analyst.day import open_day
from flows.run.runner import run_day, score_day
from spot_oa.settings import Settings, load_settings
from tests.support.report import Told

ALL = 10_000_000
"""More rows than any labelled day has."""
READ = 100
"""Number of rows that an analyst reads."""


@dataclass(frozen=True)
class LabelledSet:
    """Days of a network; the last one has attacks."""

    file: Path

    def _means(self, name: str) -> ModuleType:
        file = self.file.with_name(f"{name}.py")
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def lay_out(self, home: Path, *flags: str) -> tuple[str, list[dt.date]]:
        """Write the telemetry of a home; return the pipeline and its days in order."""
        pipeline, days = self._means("lay_out").lay_out(str(self.file), str(home), *flags)
        return pipeline, days

    def measured(self, results: Path) -> dict[str, Any]:
        """Return average precision (AP) of the last day's results file, attacks found, and more."""
        return dict(self._means("evaluate").evaluate(str(self.file), str(results)))

    def attacks(self, results: Path, day: dt.date) -> list[int]:
        """Return the positions in a day's results file whose event is part of an attack."""
        means, pipeline = self._means("evaluate"), self.file.name.split(".")[1]
        keys = means.KEYS[pipeline]
        columns = ", ".join(f"cast({name} as varchar)" for name in keys.values())
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            left = Counter(
                tuple("null" if value is None else value for value in row)
                for row in connection.execute(
                    f"select {means.SET_SECOND[pipeline]}, {columns} from '{self.file}' "
                    "where label = 1 and cast(day as varchar) = ?",
                    [str(day)],
                ).fetchall()
            )
        found = []
        for place, line in enumerate(results.read_text("utf-8").splitlines()):
            fields = line.split("\t")
            key = (means.SECOND[pipeline](fields), *(fields[index] for index in keys))
            if left[key]:
                left[key] -= 1
                found.append(place)
        return found


def capped(home: Path, *, pair: int = 0, service: int = 0) -> Settings:
    """Return settings of the home with these caps; without caps, rows are ordered by bits only."""
    caps = {"rows_per_pair": pair, "rows_per_service": service}
    return load_settings(home=home).model_copy(update=caps)


def ranked(settings: Settings, pipeline: str, days: Sequence[dt.date]) -> Path:
    """Score all rows of the days in order; return a copy of the last day's results."""
    for day in days:
        score_day(settings, pipeline, day, Told(), limit=ALL)
    results = _results(settings, pipeline, days[-1])
    copy = settings.home / f"results-{len(list(settings.home.iterdir()))}.csv"
    shutil.copy(results, copy)
    return copy


def feedback(labelled: LabelledSet, home: Path) -> Iterator[tuple[str, float]]:
    """Return the average precision of the last day if its attacks also occurred the day before.

    Yields:
        Without labels; with those of an analyst who read the first rows of the day before; with
        labels on every row of it that was part of an attack.
    """
    pipeline, (*_, before, last) = labelled.lay_out(home, "--with-history")
    plain, usual = capped(home), capped(home, pair=3, service=10)
    ranked(plain, pipeline, [before])
    yield "without labels", labelled.measured(ranked(plain, pipeline, [last]))["AP"]
    for name, settings, read in (("first 100 labelled", usual, READ), ("all labelled", plain, ALL)):
        run_day(settings, pipeline, before, Told(), limit=read, scorer="builtin")
        attacks = labelled.attacks(_results(settings, pipeline, before), before)
        day = open_day(pipeline, before, settings=settings, author="anna")
        day.label_ranks(attacks, 1)
        yield name, labelled.measured(ranked(plain, pipeline, [last]))["AP"]


def _results(settings: Settings, pipeline: str, day: dt.date) -> Path:
    folder = Path(settings.ml_uri) / pipeline / "scored_results" / day.strftime("%Y%m%d")
    return folder / "scores" / f"{pipeline}_results.csv"
