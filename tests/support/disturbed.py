"""Days on which runs are disturbed, and what these leave."""

from __future__ import annotations

from pathlib import Path

OLD, NEW = 30, 60
"""Limits of the day that stands and of the one that a disturbed run makes."""


def leftovers(home: Path, data: Path) -> list[str]:
    """What a run makes for itself only."""
    hidden = [str(path) for path in data.rglob(".*")]
    beside = {path.name for path in home.glob("warehouse*")}
    return hidden + sorted(beside - {"warehouse.duckdb", "warehouse.duckdb.lock"})
