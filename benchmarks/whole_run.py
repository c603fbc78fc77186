"""Whole runs of the command line: what each part costs, and what memory it takes."""

from __future__ import annotations

import re
import statistics
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.bench import DATE, LINES, Bench, size
from benchmarks.marts import bare
from benchmarks.measure import Ran, run
from benchmarks.tables import Table, filled, seconds, times
from spot_oa.settings import Settings

DEMO = 20_000
LIMIT = 3000
LITTLE_MEMORY = "1GB"
_ENRICH = ("geo", "network_context", "reputation")
_STEPS = "|".join(("prepare", "land", *_ENRICH, "dbt build", "publish"))
_STEP = re.compile(rf": ({_STEPS}): .*\((.*) s\)")


def measure(bench: Bench) -> Table:
    """One column per size, medians."""
    sizes = [DEMO, *bench.sizes]
    columns = [_parts(bench, rows) for rows in sizes]
    rows = [[part, *(column[part] for column in columns)] for part in columns[0]]
    return Table(["part", *(f"{size(n)} rows" for n in sizes)], rows)


def _parts(bench: Bench, rows: int) -> dict[str, str]:
    settings = bench.home("flow", rows)
    runs = [command(settings, LIMIT) for _ in range(bench.runs + 1)][1:]
    steps = [dict(_STEP.findall(ran.output)) for ran in runs]

    def median(*names: str) -> float:
        return statistics.median(max(float(step[name]) for name in names) for step in steps)

    sql = bare(bench, "flow", rows, LIMIT)[0].seconds("marts")
    wall = statistics.median(ran.seconds for ran in runs)
    land, enrich, build = median("land"), median(*_ENRICH), median("dbt build")
    others = wall - land - enrich - median("prepare") - build - median("publish")
    return {
        "start and end": seconds(others),
        "prepare": seconds(median("prepare")),
        "land": seconds(land),
        "enrich, side by side": seconds(enrich),
        "dbt build": seconds(build),
        "of it the SQL, run as bare statements": seconds(sql),
        "publish": seconds(median("publish")),
        "**whole command**": seconds(wall),
        "whole without SQL, land, enrich": seconds(wall - land - enrich - sql),
        "whole to SQL": times(wall / sql),
        "processor time of the command": seconds(statistics.median(ran.cpu for ran in runs)),
        "peak memory, MB": f"{max(ran.peak_mb for ran in runs):.0f}",
    }


def measure_memory(bench: Bench) -> Table:
    """The greatest day with the default memory limit and with a small one."""
    rows = max(bench.sizes)
    head = (
        "raw rows",
        "N",
        "limit",
        "seconds",
        "CPU time",
        "peak memory, MB",
        "most on disk, MB",
        "left, MB",
    )
    return filled(head, _with_limits(bench, rows))


def _with_limits(bench: Bench, rows: int) -> Iterator[list[str]]:
    settings = bench.home("flow", rows)
    for limit in (LIMIT, LINES):
        for memory in ("80%", LITTLE_MEMORY):
            with _Watched(settings.spill_dir) as spill:
                ran = command(settings, limit, SPOT_OA_MEMORY_LIMIT=memory)
            left = _bytes(settings.spill_dir)
            yield [
                size(rows),
                size(limit),
                memory,
                seconds(ran.seconds),
                seconds(ran.cpu),
                f"{ran.peak_mb:.0f}",
                f"{spill.most / 1e6:.0f}",
                f"{left / 1e6:.0f}",
            ]


def command(settings: Settings, limit: int, **environment: str) -> Ran:
    """Run the flow pipeline on the day as an operator does."""
    script = str(Path(sys.executable).with_name("spot-oa"))
    arguments: Sequence[str] = ("run", "flow", "--date", str(DATE), "--limit", str(limit))
    return run([script, *arguments], {"SPOT_OA_HOME": str(settings.home), **environment})


class _Watched:
    """Remembers the most bytes that a folder held while the block ran."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.most = 0

    def __enter__(self) -> _Watched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self.most = max(self.most, _bytes(self._folder))


def _bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total
