"""Reputation services against servers of our own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.reputation import Asked


@pytest.fixture
def ask(tmp_path: Path) -> Asked:
    return Asked(tmp_path / "home")


@pytest.fixture
def write_context_in() -> Callable[[Path, str, str], None]:
    """Writes a context file below a home."""

    def write(home: Path, name: str, content: str) -> None:
        path = home / "context" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    return write
