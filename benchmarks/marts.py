"""The pipelines' SQL against plain scans of the columns that it needs, by rows and by N."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from benchmarks.bench import LINES, Bench, size
from benchmarks.measure import Timed, in_turns
from benchmarks.statements import ready, run_all, scan, warehouse
from benchmarks.tables import Table, filled, seconds, times

LIMITS = (500, 3000, LINES)
OTHERS_UP_TO = 10_000_000
"""Rows a day up to which proxy and dns are measured too."""


def measure(bench: Bench) -> Table:
    head = ("pipeline", "raw rows", "N", "scans", "marts", "ratio", "in CPU time", "exponent")
    return filled(head, _rows(bench))


def _rows(bench: Bench) -> Iterator[list[str]]:
    for pipeline in ("flow", "proxy", "dns"):
        before: dict[int, tuple[int, float]] = {}
        for rows in bench.sizes:
            if pipeline != "flow" and rows > OTHERS_UP_TO:
                continue
            for limit in LIMITS:
                found = bare(bench, pipeline, rows, limit)
                marts = found.seconds("marts")
                slope = ""
                if limit in before:
                    fewer, took = before[limit]
                    slope = f"{math.log(marts / took) / math.log(rows / fewer):.2f}"
                before[limit] = rows, marts
                yield [
                    pipeline,
                    size(rows),
                    size(limit),
                    seconds(found.seconds("scans")),
                    seconds(marts),
                    times(found.ratio("marts", "scans")),
                    times(found.cpu_ratio("marts", "scans")),
                    slope,
                ]


def bare(bench: Bench, pipeline: str, rows: int, limit: int) -> Timed:
    """Time the scans and the marts' statements on a day whose first N results are landed."""
    settings = bench.home(pipeline, rows)
    models = ready(settings, pipeline, limit)
    with warehouse(settings) as connection:
        return in_turns(
            bench.runs,
            {
                "scans": partial(scan, connection, settings, pipeline),
                "marts": partial(run_all, connection, models),
            },
        )
