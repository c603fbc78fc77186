"""A parent of commands, warm for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.warm import Warm
from tests.support.warm import warm as warm_parent


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with warm_parent(tmp_path_factory.mktemp("told")) as parent:
        yield parent
