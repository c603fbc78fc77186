"""VirusTotal."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.support.reputation import (
    KEY,
    Asked,
    as_json,
    outcomes,
    texts,
)


@pytest.mark.parametrize(
    ("malicious", "suspicious", "text"),
    [
        (5, 0, "virustotal:5 of 10:3"),
        (2, 0, "virustotal:2 of 10:2"),
        (1, 0, "virustotal:1 of 10:1"),
        (0, 1, "virustotal:0 of 10:1"),
        (0, 0, "virustotal:0 of 10:0"),
        (None, 0, ""),
    ],
)
def test_virustotal(
    ask: Asked, httpserver: HTTPServer, malicious: int | None, suspicious: int, text: str
) -> None:
    # None: nobody has looked at it.
    harmless = 0 if malicious is None else 10 - malicious - suspicious
    stats = {"malicious": malicious or 0, "suspicious": suspicious, "harmless": harmless}
    httpserver.expect_request("/ip_addresses/8.8.8.8", headers={"x-apikey": KEY}).respond_with_json(
        {"data": {"attributes": {"last_analysis_stats": stats}}}
    )
    options = {"key": KEY, "url": httpserver.url_for("").rstrip("/")}
    assert texts(ask({"virustotal": options}, "address", "8.8.8.8")) == {"8.8.8.8": text}


@pytest.mark.parametrize(
    ("kind", "indicator", "path"),
    [
        ("name", "WWW.Example.com.", "/domains/www.example.com"),
        ("address", "2001:4860:4860:0::8888", "/ip_addresses/2001%3A4860%3A4860%3A%3A8888"),
        ("uri", "evil.com/a?b", "/urls/" + "aHR0cDovL2V2aWwuY29tL2E_Yg"),
    ],
)
def test_virustotal_paths(
    ask: Asked, httpserver: HTTPServer, kind: Any, indicator: str, path: str
) -> None:
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(request.environ["RAW_URI"])
        return as_json({"error": {"code": "NotFoundError"}}, 404)

    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)
    options = {"key": KEY, "url": httpserver.url_for("").rstrip("/")}
    found = ask({"virustotal": options}, kind, indicator)
    assert outcomes(found) == {indicator: "not found"}
    assert [url.removeprefix(options["url"]) for url in asked] == [path]
    if kind == "uri":
        encoded = path.removeprefix("/urls/")
        assert base64.urlsafe_b64decode(encoded + "==") == b"http://evil.com/a?b"
