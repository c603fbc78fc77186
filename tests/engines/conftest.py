"""One Spark cluster for all tests of a session: it takes half a minute to start."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.support.spark import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    pytest.importorskip("pyspark", reason="make setup-spark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster
