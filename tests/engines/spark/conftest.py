"""Marks, and what `spot-oa` needs to find the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.spark import HOST, Cluster
from tests.support.warm import Warm, warm

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.spark)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with warm(tmp_path_factory.mktemp("told")) as parent:
        yield parent


@pytest.fixture(scope="session")
def environment(cluster: Cluster) -> dict[str, str]:
    """What an operator exports."""
    return {
        "SPOT_OA_TARGET": "spark",
        "SPOT_OA_SPARK_HOST": HOST,
        "SPOT_OA_SPARK_PORT": str(cluster.port),
    }


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """What the moments follow from at which runs are killed."""
    return int(request.config.getoption("--seed"))
