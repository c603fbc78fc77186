"""The settings of every benchmark, and its timers."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spot_oa.demo import DEMO_DATES, generate
from spot_oa.settings import Settings, load_settings

DATE = DEMO_DATES[0]
LINES = 100_000
"""Lines of results files, the largest measured N."""
LIMIT = 3000
WHOLE = ".whole"
"""Marker file of a home with complete data."""
# An intermediate process: otherwise our memory before exec would count as the command's.
_USED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss, used.ru_utime + used.ru_stime)
sys.exit(code)
"""
_STEP = re.compile(r": ([a-z_ ]+): .*\((.*) s\)")


@dataclass(frozen=True, slots=True)
class Bench:
    """The settings of a benchmark.

    Attributes:
        folder: Folder of the generated days, which later benchmarks reuse.
        sizes: Raw events per day.
        runs: Number of rounds; the median counts.
    """

    folder: Path
    sizes: Sequence[int]
    runs: int

    def home(self, pipeline: str, rows: int, *, lines: int = LINES) -> Settings:
        """Return a home with the demo's telemetry and results; create it if missing."""
        lines = min(lines, rows)
        home = self.folder / f"{pipeline}-{size(rows)}-{size(lines)}"
        if not (home / WHOLE).exists():
            shutil.rmtree(home, ignore_errors=True)
            generate(home, dates=[DATE], pipelines=[pipeline], rows_per_day=rows, suspicious=lines)
            (home / WHOLE).touch()
        return load_settings(home=home)

    def in_turns(self, cases: Mapping[str, Callable[[], object]]) -> Timed:
        """Time all cases in each round, after a warm-up round.

        Other load of the machine then affects all cases equally.
        """
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
        for _ in range(self.runs + 1):
            for name, case in cases.items():
                cpu, begin = time.process_time(), time.perf_counter()
                case()
                took = time.perf_counter() - begin, time.process_time() - cpu
                rounds[name].append(took)
        return Timed({name: took[1:] for name, took in rounds.items()})

    def median(self, run: Callable[[], Mapping[str, float]]) -> dict[str, float]:
        """Return the median of each figure, after a warm-up run."""
        found = [run() for _ in range(self.runs + 1)][1:]
        return {name: statistics.median(one[name] for one in found) for name in found[0]}


@dataclass(frozen=True, slots=True)
class Timed:
    """Wall clock and CPU seconds of each case, one pair per round."""

    rounds: Mapping[str, Sequence[tuple[float, float]]]

    def seconds(self, case: str) -> float:
        """Return the case's median wall clock time."""
        return statistics.median(wall for wall, _ in self.rounds[case])

    def ratio(self, case: str, *floor: str, cpu: bool = False) -> str:
        """Return the median over rounds of the case's time to the sum of its floor's parts."""
        floors = zip(*(self.rounds[part] for part in floor), strict=True)
        pairs = zip(self.rounds[case], floors, strict=True)
        return times(
            statistics.median(one[cpu] / sum(part[cpu] for part in parts) for one, parts in pairs)
        )


def spot_oa_run(settings: Settings, pipeline: str, limit: int, **changed: str) -> dict[str, float]:
    """Run the pipeline on the day by the command line.

    Returns:
        Seconds of each step, and the figures of `spot_oa`.
    """
    arguments = ("run", pipeline, "--date", str(DATE), "--limit", str(limit))
    output, used = spot_oa(settings, *arguments, **changed)
    return {**steps(output), **used}


def steps(output: str) -> dict[str, float]:
    """Return the seconds of each step from a run's output."""
    return {step: float(took) for step, took in _STEP.findall(output)}


def spot_oa(settings: Settings, *arguments: str, **changed: str) -> tuple[str, dict[str, float]]:
    """Run the command line in a separate process.

    Returns:
        The output; `whole` and `cpu` (s) and `memory` (MB, the peak) of the command.
    """
    script = str(Path(sys.executable).with_name("spot-oa"))
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _USED, script, *arguments],
        env={**os.environ, "SPOT_OA_HOME": str(settings.home), **changed},  # noqa: TID251
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    whole = time.perf_counter() - begin
    assert done.returncode == 0, done.stdout
    memory, cpu = map(float, done.stdout.split()[-2:])
    return done.stdout, {"whole": whole, "cpu": cpu, "memory": memory / 1024}


def size(rows: int) -> str:
    """Format a number of rows: `10M`, `3k`, `500`."""
    for unit, name in ((1_000_000, "M"), (1000, "k")):
        if rows >= unit and rows % unit == 0:
            return f"{rows // unit}{name}"
    return str(rows)


def rows(text: str) -> int:
    """Parse the output of `size`."""
    return int(text.replace("M", "000000").replace("k", "000"))


def seconds(value: float) -> str:
    """Format seconds with a reasonable number of digits."""
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004


def times(value: float) -> str:
    """Format a ratio."""
    return f"{value:.1f} x" if value < 100 else f"{value:,.0f} x"  # noqa: PLR2004
