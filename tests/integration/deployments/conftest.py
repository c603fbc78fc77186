"""One real Prefect server and one real worker for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flows.orchestration.local_server import prefect_environment, register, server, worker
from spot_oa.demo import generate
from spot_oa.settings import load_settings
from tests.support.ports import free_port
from tests.support.prefect_api import Api
from tests.support.site import Site
from tests.support.webhdfs import webhdfs


@pytest.fixture(scope="session")
def server_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site")
    generate(home, rows_per_day=3000, suspicious=100)
    port = free_port()
    with webhdfs(home / "ml") as results:
        settings = load_settings(home=home, ml_uri=results.url)
        environment = prefect_environment(settings, port) | {
            "SPOT_OA_ML_URI": results.url,
            "SPOT_OA_RETRY_DELAYS": "1,1,1",
            "PYTHONUNBUFFERED": "1",
        }
        log = home / "worker.log"
        log.touch()
        api = Api(environment["PREFECT_API_URL"])
        with server(environment, port):
            register(settings, environment)
            yield Site(settings, environment, api, results, log)


@pytest.fixture(scope="module")
def site(server_only: Site) -> Iterator[Site]:
    """The site with a worker."""
    with server_only.log.open("a") as output, worker(server_only.environment, output):
        yield server_only
