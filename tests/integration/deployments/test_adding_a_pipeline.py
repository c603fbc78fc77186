"""docs/adding-a-pipeline.md to its end: the fourth pipeline's deployment, and backfills of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.orchestration.local_server import POOL, prefect, prefect_environment, server, worker
from spot_oa.settings import load_settings
from tests.support.ports import free_port
from tests.support.prefect_api import Api
from tests.support.ssh_pipeline import add_pipeline

pytestmark = pytest.mark.server


def test_the_page_gives_a_deployment_and_a_backfill(tmp_path: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    settings = add_pipeline(project, home)
    port = free_port()
    environment = prefect_environment(load_settings(home=home), port) | settings
    with server(environment, port):
        prefect(environment, "work-pool", "create", POOL, "--type", "process")
        prefect(environment, "--no-prompt", "deploy", "--all", folder=project)
        api = Api(environment["PREFECT_API_URL"])
        with (home / "worker.log").open("w") as log, worker(environment, log):
            run = api.final(api.start("ssh-oa/daily", date="2016-07-08"))
            assert run["state"]["message"].startswith("ssh 2016-07-08: 2 results"), run["state"]
            day = {"date_from": "2016-07-08", "date_to": "2016-07-08"}
            again = api.start("oa-backfill/daily", **day, pipelines=["ssh"], force=True)
            assert api.final(again)["state"]["message"] == "1 runs done"
    manifest = json.loads((home / "data/ssh/20160708/manifest.json").read_text("utf-8"))
    assert manifest["tables"]["ssh_scores"]["rows"] == 2
