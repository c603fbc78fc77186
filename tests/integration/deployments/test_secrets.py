"""Secrets are used and never written: from a Prefect block, and from the worker's environment."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, temporary_settings
from pytest_httpserver import HTTPServer

from flows.orchestration.local_server import worker
from flows.orchestration.secret_blocks import settings_with_secrets
from spot_oa.demo import DEMO_DATES
from tests.support.site import Site

pytestmark = pytest.mark.server

IN_BLOCK, IN_ENVIRONMENT = "MARKER-in-a-block-7Q", "MARKER-in-the-environment-3X"
SAVE = (
    "import sys; from prefect.blocks.system import Secret; "
    "Secret(value=sys.argv[2]).save(sys.argv[1])"
)


def test_secrets_are_used_and_never_written(server_only: Site, httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_json({}, status=404)
    subprocess.run(
        [sys.executable, "-c", SAVE, "spot-oa-virustotal--key", IN_BLOCK],
        check=True,
        env=server_only.environment,
        capture_output=True,
    )
    environment = server_only.environment | {
        "SPOT_OA_SERVICES__VIRUSTOTAL__URL": httpserver.url_for("/vt"),
        "SPOT_OA_SERVICES__VIRUSTOTAL__PER_MINUTE": "100000",
        "SPOT_OA_SERVICES__OTX__URL": httpserver.url_for("/otx"),
        "SPOT_OA_SERVICE_SECONDS": "5",
        "SPOT_OA_SERVICES__OTX__KEY": IN_ENVIRONMENT,
    }
    with server_only.log.open("a") as output, worker(environment, output):
        flow_run = server_only.api.start("dns-oa/daily", date=str(DEMO_DATES[0]))
        run = server_only.api.final(flow_run)

    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    sent = {value for request, _ in httpserver.log for value in request.headers.values()}
    assert {IN_BLOCK, IN_ENVIRONMENT} <= sent
    told = json.dumps([run, server_only.api.logs(flow_run), server_only.api.artifacts(flow_run)])
    assert "virustotal" in told
    assert "MARKER" not in told
    home = server_only.settings.home
    files = [path for path in home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sql" for path in files)
    found = [
        str(path)
        for path in files
        if any(mark.encode() in path.read_bytes() for mark in (IN_BLOCK, IN_ENVIRONMENT))
    ]
    assert found == []


def test_only_blocks_of_ours_are_read_however_many_there_are(
    server_only: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [f"a-{number}" for number in range(205)] + ["not-spot-oa-otx--key", "spot-oa-note"]
    ours = [f"spot-oa-feeds--list-{number}" for number in range(101)]
    values = {name: f"theirs {name}" for name in others} | {name: f"ours {name}" for name in ours}
    api, made = server_only.api, []
    answers: list[str] = []
    send = SyncPrefectClient.request

    def watched(client: SyncPrefectClient, *given: Any, **more: Any) -> Any:
        answer = send(client, *given, **more)
        answers.append(answer.text)
        return answer

    try:
        with temporary_settings({PREFECT_API_URL: server_only.environment["PREFECT_API_URL"]}):
            Secret.register_type_and_schema()
            ids = {
                "block_type_id": str(Secret._block_type_id),
                "block_schema_id": str(Secret._block_schema_id),
            }
            for name, value in values.items():
                block = api.post("block_documents/", name=name, data={"value": value}, **ids)
                made.append(block["id"])
            monkeypatch.setattr(SyncPrefectClient, "request", watched)
            services = settings_with_secrets().services
    finally:
        # Other tests run on this server.
        for block_id in made:
            api.delete(f"block_documents/{block_id}")
    read = {option: secret.get_secret_value() for option, secret in services["feeds"].items()}
    assert read == {f"list_{number}": f"ours spot-oa-feeds--list-{number}" for number in range(101)}
    assert "ours" in "".join(answers)
    assert "theirs" not in "".join(answers)
    assert "otx" not in services
