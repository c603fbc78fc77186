"""Context files, and rows of enrichers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

WriteContext = Callable[[str, str | bytes], Path]
"""Writes a file below the context folder of the test's settings."""


def column(frame: pd.DataFrame, key: str, value: str) -> dict[str, object]:
    """Return two columns as a dict, NULL as None."""
    values = frame[value].astype(object).where(frame[value].notna(), None)
    return dict(zip(frame[key], values, strict=True))
