"""GreyNoise, community and bulk."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.support.reputation import KEY, Asked, outcomes, texts, verdicts


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ({"noise": True, "riot": False, "classification": "malicious"}, 200, "malicious:3"),
        ({"noise": True, "riot": False, "classification": "suspicious"}, 200, "suspicious:2"),
        ({"noise": True, "riot": False, "classification": "unknown"}, 200, "unknown:-1"),
        ({"noise": False, "riot": True, "classification": "benign"}, 200, "benign:0"),
        ({"noise": True, "riot": False, "classification": "brand new"}, 200, "brand new:-1"),
        ({"noise": False, "riot": False, "message": "not observed"}, 404, ""),
    ],
)
def test_greynoise_community(
    ask: Asked, httpserver: HTTPServer, answer: dict[str, Any], status: int, text: str
) -> None:
    httpserver.expect_request("/community/8.8.8.8").respond_with_json(answer, status)
    options = {"url": httpserver.url_for("").rstrip("/")}
    found = ask({"greynoise": options}, "address", "8.8.8.8")
    assert texts(found) == {"8.8.8.8": f"greynoise:{text}" if text else ""}


def test_greynoise_in_bulk(ask: Asked, httpserver: HTTPServer) -> None:
    def record(ip: str, scanner: dict[str, Any], business: dict[str, Any]) -> dict[str, Any]:
        return {
            "ip": ip,
            "internet_scanner_intelligence": {"found": bool(scanner)} | scanner,
            "business_service_intelligence": {"found": bool(business)} | business,
        }

    httpserver.expect_request(
        "/ip",
        "POST",
        headers={"key": KEY},
        json={"ips": ["8.8.8.8", "1.1.1.1", "9.9.9.9", "8.8.4.4"]},
    ).respond_with_json(
        {
            "data": [
                record("8.8.8.8", {"classification": "malicious", "actor": "Mirai"}, {}),
                record("1.1.1.1", {}, {"trust_level": "1", "name": "Cloudflare"}),
                record("9.9.9.9", {}, {"trust_level": "2", "name": "Quad9"}),
            ]
        }
    )
    options = {"key": KEY, "bulk": "true", "url": httpserver.url_for("").rstrip("/")}
    found = ask({"greynoise": options}, "address", "8.8.8.8", "1.1.1.1", "9.9.9.9", "8.8.4.4")
    assert verdicts(found, "outcome", "severity", "label", "category") == {
        "8.8.8.8": ("answered", 3, "malicious", "Mirai"),
        "1.1.1.1": ("answered", 0, "business service", "Cloudflare"),
        "9.9.9.9": ("answered", 1, "business service", "Quad9"),
        "8.8.4.4": ("not found", None, None, None),
    }


@pytest.mark.parametrize("bulk", ["true", "false"])
def test_greynoise_is_not_asked_of_ipv6(ask: Asked, httpserver: HTTPServer, bulk: str) -> None:
    options = {"key": KEY, "bulk": bulk, "url": httpserver.url_for("").rstrip("/")}
    found = ask({"greynoise": options}, "address", "2001:4860:4860::8888")
    assert outcomes(found) == {"2001:4860:4860::8888": "not found"}
    assert httpserver.log == []
