"""OTX, indicators and pulses."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.support.reputation import (
    KEY,
    Asked,
    as_json,
    texts,
    verdicts,
)


@pytest.mark.parametrize(
    ("kind", "indicator", "path"),
    [
        ("address", "8.8.8.8", "/indicators/IPv4/8.8.8.8/general"),
        ("address", "2001:4860::1", "/indicators/IPv6/2001:4860::1/general"),
        ("name", "a.com", "/indicators/domain/a.com/general"),
        ("name", "www.a.com", "/indicators/hostname/www.a.com/general"),
        ("uri", "http://a.com/x?y", "/indicators/url/http://a.com/x?y/general"),
    ],
)
def test_otx(ask: Asked, httpserver: HTTPServer, kind: Any, indicator: str, path: str) -> None:
    httpserver.expect_request(path, headers={"X-OTX-API-KEY": KEY}).respond_with_json(
        {"validation": [], "pulse_info": {"count": 3, "pulses": [{"name": "Botnet"}]}}
    )
    options = {"key": KEY, "url": httpserver.url_for("").rstrip("/")}
    found = ask({"otx": options}, kind, indicator)
    assert verdicts(found, "severity", "label", "category") == {
        indicator: (2, "3 pulses", "Botnet")
    }


@pytest.mark.parametrize(
    ("validation", "count", "text"), [([{"source": "alexa"}], 9, "otx:Whitelisted:0"), ([], 0, "")]
)
def test_otx_lists_of_the_harmless(
    ask: Asked, httpserver: HTTPServer, validation: list[Any], count: int, text: str
) -> None:
    httpserver.expect_request("/indicators/domain/a.com/general").respond_with_json(
        {"validation": validation, "pulse_info": {"count": count, "pulses": []}}
    )
    options = {"key": KEY, "url": httpserver.url_for("").rstrip("/")}
    assert texts(ask({"otx": options}, "name", "a.com")) == {"a.com": text}


def test_otx_pulses_page_by_page(ask: Asked, httpserver: HTTPServer) -> None:
    pages = {
        "1": [("IPv4", "8.8.8.8"), ("FileHash-MD5", "0" * 32)],
        "2": [("domain", "evil.com"), ("URL", "http://bad.com/x")],
    }

    def answer(request: Request) -> Response:
        page = request.args["page"]
        indicators = [{"type": kind, "indicator": text} for kind, text in pages[page]]
        elsewhere = "https://elsewhere.com/pulses?page=2&limit=50"
        return as_json(
            {
                "results": [{"name": f"Pulse {page}", "indicators": indicators}],
                "next": elsewhere if page == "1" else None,
            }
        )

    httpserver.expect_request(
        "/pulses/subscribed", headers={"X-OTX-API-KEY": KEY}
    ).respond_with_handler(answer)
    options = {
        "key": KEY,
        "url": httpserver.url_for("").rstrip("/"),
        "check": "false",
        "pulses": "true",
    }
    found = ask({"otx": options}, "uri", "8.8.8.8/x", "www.evil.com/y", "bad.com/x", "bad.com/z")
    assert texts(found) == {
        "8.8.8.8/x": "otx_pulses:Pulse:2",
        "www.evil.com/y": "otx_pulses:Pulse:2",
        "bad.com/x": "otx_pulses:Pulse:2",
        "bad.com/z": "",
    }
    assert found.outcomes[0].detail.startswith("entries: 3, written ")
