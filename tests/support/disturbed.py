"""Disturbed runs, and the files that they leave."""

from __future__ import annotations

from pathlib import Path

OLD, NEW = 30, 60
"""Limits of the existing day and of the disturbed run."""


def leftovers(home: Path, data: Path) -> list[str]:
    """Return a run's temporary files."""
    hidden = [str(path) for path in data.rglob(".*")]
    beside = {path.name for path in home.glob("warehouse*")}
    return hidden + sorted(beside - {"warehouse.duckdb", "warehouse.duckdb.lock"})
