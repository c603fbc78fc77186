"""Looking up 100,000 indicators, by stage: what `python -m benchmarks.enrichers` prints."""

from __future__ import annotations

import re
import subprocess
import sys

from benchmarks.bench import Bench
from benchmarks.tables import Table

_LINE = re.compile(r"(.*?) +load +([\d.]+) s, (\d+) looked up +([\d.]+) s")


def measure(bench: Bench) -> Table:  # noqa: ARG001 - its sizes are its own
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.enrichers"], check=True, capture_output=True, text=True
    )
    rows = [
        [stage, load, f"{int(asked):,}", took]
        for stage, load, asked, took in _LINE.findall(done.stdout)
    ]
    assert rows, done.stdout
    return Table(("stage", "load", "indicators", "looked up"), rows)
