"""Context files for the enrichers' tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from spot_oa.settings import Settings

WriteContext = Callable[[str, str | bytes], Path]


@pytest.fixture
def write_context(settings: Settings) -> WriteContext:
    """Writes a file below the context folder of `settings`."""

    def write(name: str, content: str | bytes) -> Path:
        path = settings.context_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return write


def column(frame: pd.DataFrame, key: str, value: str) -> dict[str, object]:
    """Two columns as a dict, NULL as None."""
    values = frame[value].astype(object).where(frame[value].notna(), None)
    return dict(zip(frame[key], values, strict=True))
