"""`make bench`: measure, print the tables, and write them into docs/performance.md.

`python -m benchmarks [--sizes 1M,10M,50M] [--parts marts,...] [--runs 5] [--folder F]`
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import (
    deployment,
    enrichment,
    history,
    ingest,
    landing,
    marts,
    row_by_row,
    whole_run,
)
from benchmarks.bench import Bench, rows
from benchmarks.tables import Table, keep
from spot_oa.settings import load_settings

PARTS: Mapping[str, Callable[[Bench], Table]] = {
    "marts": marts.measure,
    "row-by-row": row_by_row.measure,
    "whole-run": whole_run.measure,
    "memory": whole_run.measure_memory,
    "landing": landing.measure,
    "ingest": ingest.measure,
    "history": history.measure,
    "enrichment": enrichment.measure,
    "deployment": deployment.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sizes", default="1M,10M", help="raw events a day, 1M,10M,50M for all")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--runs", type=int, default=5, help="rounds of which the median is shown")
    parser.add_argument("--folder", type=Path, default=load_settings().home / "bench")
    given = parser.parse_args()
    bench = Bench(given.folder.absolute(), [rows(n) for n in given.sizes.split(",")], given.runs)
    for name in given.parts.split(","):
        begin = time.perf_counter()
        table = PARTS[name](bench)
        print(f"\n{name} ({time.perf_counter() - begin:.0f} s)\n{table.markdown()}", flush=True)
        command = f"python -m benchmarks --parts {name} --sizes {given.sizes} --runs {given.runs}"
        keep(name, table, command)


if __name__ == "__main__":
    main()
