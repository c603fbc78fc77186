"""The choice of shown events if there are too many."""

from __future__ import annotations

from typing import Any

AT_MOST = 250


def as_text(row: dict[str, Any], columns: list[str]) -> list[tuple[bool, str]]:
    """Return all columns as text, in the order of the telemetry, NULL last."""
    return [(row[name] is None, "" if row[name] is None else str(row[name])) for name in columns]
