"""Keys, proxies and certificates."""

from __future__ import annotations

import json
import re
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.support.recorder import STATS, Recorder, always, virustotal
from tests.support.reputation import (
    KEY,
    Asked,
    details,
    outcomes,
    statuses,
)


@pytest.mark.parametrize("status", [200, 401, 500])
def test_keys_leave_no_trace(
    ask: Asked,
    httpserver: HTTPServer,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    status: int,
) -> None:
    caplog.set_level("DEBUG")
    recorder = Recorder(always(status, json.dumps(STATS)))
    proxy = "http://proxy:" + KEY + "@127.0.0.1:9"
    services = virustotal(httpserver, recorder) | {
        "fb": {"app_id": "1", "app_secret": KEY, "url": "http://127.0.0.1:9"},
        "feeds": {"list": {"url": f"http://127.0.0.1:9/{KEY}"}},
    }
    found = ask(services, "address", "8.8.8.8")
    behind_proxy = ask(services, "address", "8.8.4.4", proxy=proxy)
    assert set(statuses(behind_proxy).values()) == {"unavailable"}
    settings = ask.settings(services, proxy=proxy)
    printed = capfd.readouterr()
    everything = [
        caplog.text,
        printed.out,
        printed.err,
        repr(settings),
        str(settings.model_dump(mode="json")),
        *details(found),
        *details(behind_proxy),
    ]
    assert not any(KEY in text for text in everything)
    files = [path for path in Path(ask.home).rglob("*") if path.is_file()]
    assert files
    assert not any(KEY.encode() in path.read_bytes() for path in files)


def test_redirects_do_not_carry_keys_away(ask: Asked, httpserver: HTTPServer) -> None:
    with HTTPServer() as elsewhere:
        elsewhere.expect_request(re.compile(".*")).respond_with_json(STATS)
        recorder = Recorder(always(307, Location=elsewhere.url_for("/x")))
        found = ask(virustotal(httpserver, recorder), "address", "8.8.8.8")
        assert elsewhere.log == []
    assert outcomes(found) == {"8.8.8.8": "unavailable"}


def test_a_body_with_a_key_is_not_sent_elsewhere(ask: Asked, httpserver: HTTPServer) -> None:
    with HTTPServer() as elsewhere:
        elsewhere.expect_request(re.compile(".*")).respond_with_json([])
        recorder = Recorder(always(307, Location=elsewhere.url_for("/x")))
        httpserver.expect_request(re.compile(".*")).respond_with_handler(recorder)
        options = {"app_id": "1", "app_secret": KEY, "url": httpserver.url_for("/")}
        found = ask({"fb": options}, "address", "8.8.8.8")
        assert elsewhere.log == []
    assert recorder.requests
    assert outcomes(found) == {"8.8.8.8": "unavailable"}


def test_the_environment_does_not_set_the_proxy(
    ask: Asked, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    found = ask(virustotal(httpserver, Recorder()), "address", "8.8.8.8")
    assert outcomes(found) == {"8.8.8.8": "answered"}


def test_requests_go_through_the_proxy(ask: Asked, httpserver: HTTPServer) -> None:
    recorder = Recorder()
    virustotal(httpserver, recorder)
    services = {"virustotal": {"key": KEY, "url": "http://api.invalid"}}
    found = ask(services, "address", "8.8.8.8", proxy=httpserver.url_for("").rstrip("/"))
    assert outcomes(found) == {"8.8.8.8": "answered"}
    assert "Host: api.invalid" in recorder.seen[0]
    assert "User-Agent: spot-oa/" in recorder.seen[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost that nobody trusts."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("no openssl")
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run([*made, "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    return path


@pytest.mark.parametrize(("trusted", "outcome"), [(True, "answered"), (False, "unavailable")])
def test_a_certificate_of_ones_own(
    ask: Asked, certificate: Path, trusted: bool, outcome: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certificate}.crt", certificate)
    with HTTPServer(ssl_context=context) as server:
        services = virustotal(server, Recorder())
        bundle = {"ca_bundle": f"{certificate}.crt"} if trusted else {}
        found = ask(services, "address", "8.8.8.8", **bundle)
    assert outcomes(found) == {"8.8.8.8": outcome}
    if not trusted:
        assert "its certificate is not trusted" in details(found)[0]
