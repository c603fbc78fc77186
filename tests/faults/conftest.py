"""Options and marks of the fault tests."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def moments(request: pytest.FixtureRequest) -> int:
    """How many random moments or batches each test tries."""
    return int(request.config.getoption("--moments"))
