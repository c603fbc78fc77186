"""Context files for the enrichers' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from spot_oa.settings import Settings
from tests.support.lookups import WriteContext


@pytest.fixture
def write_context(settings: Settings) -> WriteContext:
    """Writes a file below the context folder of `settings`."""

    def write(name: str, content: str | bytes) -> Path:
        path = settings.context_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return write
