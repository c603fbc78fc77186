"""The pipelines' SQL against plain scans of the columns that it needs, by rows and by N."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from benchmarks.bench import LINES, Bench, size
from benchmarks.measure import Timed, in_turns
from benchmarks.statements import copy, ready, rows_of, run_all, scan, warehouse
from benchmarks.tables import Table, filled, seconds, times

LIMITS = (500, 3000, LINES)
OTHERS_UP_TO = 10_000_000
"""Rows a day up to which proxy and dns are measured too."""


def measure(bench: Bench) -> Table:
    head = (
        "pipeline",
        "raw rows",
        "N",
        "scans",
        "marts",
        "ratio",
        "in CPU time",
        "rows made",
        "copying them",
        "ratio to both",
        "exponent by rows",
        "by N",
    )
    return filled(head, _rows(bench))


def _rows(bench: Bench) -> Iterator[list[str]]:
    for pipeline in ("flow", "proxy", "dns"):
        marts: dict[tuple[int, int], float] = {}
        fewer_rows = 0
        for rows in bench.sizes:
            if pipeline != "flow" and rows > OTHERS_UP_TO:
                continue
            lower = 0
            for limit in LIMITS:
                found, made = bare(bench, pipeline, rows, limit)
                marts[rows, limit] = found.seconds("marts")
                yield [
                    pipeline,
                    size(rows),
                    size(limit),
                    seconds(found.seconds("scans")),
                    seconds(found.seconds("marts")),
                    times(found.ratio("marts", "scans")),
                    times(found.cpu_ratio("marts", "scans")),
                    f"{made:,}",
                    seconds(found.seconds("copies")),
                    times(found.ratio("marts", "scans", "copies")),
                    _slope(marts, (fewer_rows, limit), (rows, limit)),
                    _slope(marts, (rows, lower), (rows, limit)),
                ]
                lower = limit
            fewer_rows = rows


def _slope(
    took: dict[tuple[int, int], float], before: tuple[int, int], now: tuple[int, int]
) -> str:
    """The exponent of growth from one case to the next in one direction: 1 is in proportion."""
    if before not in took:
        return ""
    growth = math.prod(now) / math.prod(before)
    return f"{math.log(took[now] / took[before]) / math.log(growth):.2f}"


def bare(bench: Bench, pipeline: str, rows: int, limit: int) -> tuple[Timed, int]:
    """Time the marts' statements, and what no engine can save, on a day of N landed results.

    Returns:
        Times of `scans`, `marts` and `copies` (of the rows made), and how many rows these are.
    """
    settings = bench.home(pipeline, rows)
    models = ready(settings, pipeline, limit)
    with warehouse(settings) as connection:
        run_all(connection, models)
        cases = {
            "scans": partial(scan, connection, settings, pipeline),
            "marts": partial(run_all, connection, models),
            "copies": partial(copy, connection, models),
        }
        found = in_turns(bench.runs, cases), rows_of(connection, models)
        connection.execute("drop table copied")
        return found
