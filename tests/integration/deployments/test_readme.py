"""The README's way to a deployment: its commands, on a fresh server, in a copy of the project."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.deployments.steps.core import run_steps
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.utilities.templating import apply_values

from flows.orchestration.local_server import server
from spot_oa.demo import generate
from tests.support.project import PROJECT

pytestmark = pytest.mark.server

COPIED = (
    *("flows", "python_enrichers", "spot_oa", "models", "macros", "seeds", "tests/dbt"),
    *("profiles", "dbt_project.yml", "prefect.yaml"),
)
COMMANDS = re.compile(r"^\$ (.+?) *(?:#.*)?$", re.MULTILINE)
EXPORT = "export PREFECT_API_URL=http://127.0.0.1:4200/api"
MARK = "-- the checkout's own"
WORKER = "prefect worker start --pool local"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project with demo data where a run looks without any setting."""
    checkout = tmp_path / "check out"
    for name in COPIED:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, checkout / name)
        else:
            shutil.copy(PROJECT / name, checkout / name)
    with (checkout / "models" / "marts" / "flow" / "flow_scores.sql").open("a") as model:
        model.write(f"\n{MARK}\n")
    generate(checkout / "spot-oa-home", pipelines=("flow",), rows_per_day=500, suspicious=20)
    return checkout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What a user has who has a server, the activated environment, and no setting of ours."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SPOT_OA_")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    with server(environment, port):
        yield environment


@pytest.mark.long
def test_deploying_in_the_checkout_is_enough(
    checkout: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    page = (PROJECT / "README.md").read_text("utf-8")
    (block,) = (b for b in re.findall(r"```console\n(.*?)```", page, re.DOTALL) if "deploy --" in b)
    commands = COMMANDS.findall(block)
    assert commands[0] == EXPORT
    assert commands[-2] == WORKER
    workers = []
    log = tmp_path / "worker.log"
    try:
        with log.open("w") as output:
            for command in commands[1:]:
                if command == WORKER:
                    # Another terminal is in another folder.
                    worker = subprocess.Popen(
                        command.split(), cwd=tmp_path, env=environment, stdout=output, stderr=output
                    )
                    workers.append(worker)
                    continue
                done = subprocess.run(
                    ["sh", "-c", command],
                    check=False,
                    cwd=checkout,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=180,
                )
                assert done.returncode == 0, done.stdout + done.stderr + log.read_text()
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait(60)
    folder = checkout / "spot-oa-home" / "data" / "flow" / "20160708"
    assert (folder / "manifest.json").is_file()
    assert "Traceback" not in log.read_text()
    compiled = checkout / "spot-oa-home" / "dbt" / "target" / "compiled"
    (model,) = compiled.rglob("flow_scores.sql")
    assert MARK in model.read_text("utf-8")


@pytest.mark.parametrize("elsewhere", [False, True])
def test_runs_go_where_it_was_deployed_unless_the_variable_says_otherwise(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    described: dict[str, Any] = yaml.safe_load((PROJECT / "prefect.yaml").read_text("utf-8"))
    checkout, moved = tmp_path / "check out", tmp_path / "moved $1 'here'"
    checkout.mkdir()
    moved.mkdir()
    with temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}):
        monkeypatch.chdir(checkout)
        deployed = asyncio.run(run_steps(described["build"]))
        # As `prefect deploy` stores them.
        pull = apply_values(described["pull"], deployed, remove_notset=False)
        monkeypatch.chdir(tmp_path)
        if elsewhere:
            monkeypatch.setenv("SPOT_OA_PROJECT_DIR", str(moved))
        asyncio.run(run_steps(pull))
    assert Path.cwd() == (moved if elsewhere else checkout)
