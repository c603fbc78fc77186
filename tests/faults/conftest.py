"""Options, marks, and homes on which runs are disturbed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from spot_oa.demo import DEMO_DATES, generate
from tests.support.disturbed import OLD
from tests.support.warm import Warm, warm

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def moments(request: pytest.FixtureRequest) -> int:
    """How many random moments or batches each test tries."""
    return int(request.config.getoption("--moments"))


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """What the random moments follow from."""
    return int(request.config.getoption("--seed"))


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with warm(tmp_path_factory.mktemp("told")) as parent:
        yield parent


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory, runs: Warm) -> Path:
    """A home in which both dates of all pipelines have been run with the limit OLD."""
    home = tmp_path_factory.mktemp("ran") / "home"
    generate(home, rows_per_day=1000, suspicious=100)
    for date in DEMO_DATES:
        code, _, errors = runs.run(home, "run", "all", "--date", str(date), "--limit", str(OLD))
        assert code == 0, errors
    return home


@pytest.fixture
def home(ran: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "home"
    shutil.copytree(ran, copy)
    return copy
