"""`make bench`: measure, print the tables, and write them into docs/performance.md.

`python -m benchmarks [--sizes 1M,10M,50M] [--parts marts,...] [--runs 5] [--folder F]`
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from benchmarks import enrichers, ingest, landing, marts, report, scorer, spark, whole_runs
from benchmarks.bench import Bench, rows
from spot_oa.settings import load_settings

PARTS: Mapping[str, Callable[[Bench], Iterable[Mapping[str, str]]]] = {
    "marts": marts.measure,
    "whole-run": whole_runs.measure,
    "memory": whole_runs.measure_memory,
    "landing": landing.measure,
    "ingest": ingest.measure,
    "history": whole_runs.measure_history,
    "enrichment": enrichers.measure,
    "scorer": scorer.measure,
    "scorer-quality": scorer.measure_quality,
    "scorer-feedback": scorer.measure_feedback,
    "report": report.measure,
    "labels": report.measure_labels,
    "deployment": whole_runs.measure_deployment,
    "spark": spark.measure,
}
"""Part -> function that yields the rows of its table, column -> text, as they are measured."""
EXTRA = ("spark", "report", "scorer-quality", "scorer-feedback")
"""Parts that need more than `make setup`; measured only if given with --parts."""
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def main() -> None:
    usual = [name for name in PARTS if name not in EXTRA]
    help_of_parts = f"some of {', '.join(PARTS)}"
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sizes", default="1M,10M", help="raw events per day, 1M,10M,50M for all")
    parser.add_argument("--parts", default=",".join(usual), help=help_of_parts)
    parser.add_argument("--runs", type=int, default=5, help="number of rounds; the median is shown")
    parser.add_argument("--folder", type=Path, default=load_settings().home / "bench")
    given = parser.parse_args()
    bench = Bench(given.folder.absolute(), [rows(n) for n in given.sizes.split(",")], given.runs)
    for name in given.parts.split(","):
        table = "\n".join(markdown(PARTS[name](bench)))
        command = f"python -m benchmarks --parts {name} --sizes {given.sizes} --runs {given.runs}"
        keep(name, f"`{command}`, {dt.datetime.now(dt.UTC):%Y-%m-%d}, {machine()}\n\n{table}\n")


def markdown(table: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """Yield the lines of the table, and print each immediately."""
    head: list[str] = []
    for row in table:
        lines = [] if head else [list(row), ["---"] * len(row)]
        head = head or list(row)
        # A row may lack columns of the first one.
        for cells in (*lines, [row.get(name, "") for name in head]):
            line = f"| {' | '.join(cells)} |"
            print(line, flush=True)
            yield line


def keep(name: str, block: str) -> None:
    """Replace the block between its marks on the page."""
    begin, end = f"<!-- bench:{name} -->\n", f"<!-- bench:{name} ends -->"
    text = PAGE.read_text("utf-8")
    marks = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    assert marks.search(text), f"{PAGE} has no place for {name}"
    PAGE.write_text(marks.sub(lambda _: begin + block + end, text), "utf-8")


def machine() -> str:
    """Describe the machine and its load."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "dbt-core", "prefect"))
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory} GB, "
        f"Python {platform.python_version()}, {versions}; load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
