"""The audit rows of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb


def audit(warehouse: Path) -> list[dict[str, Any]]:
    """Return the rows of oa.run_audit, in insertion order."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return list(connection.sql("from oa.run_audit").to_arrow_table().to_pylist())
