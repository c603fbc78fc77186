"""URLhaus and ThreatFox of abuse.ch."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.support.reputation import (
    KEY,
    Asked,
    as_json,
    outcomes,
    statuses,
    texts,
)


@pytest.mark.parametrize(
    ("kind", "indicator", "form", "answer", "text"),
    [
        (
            "uri",
            "evil.com/x",
            {"url": "http://evil.com/x"},
            {"query_status": "ok", "url_status": "online", "threat": "malware_download"},
            "urlhaus:online:3",
        ),
        (
            "name",
            "evil.com",
            {"host": "evil.com"},
            {"query_status": "ok", "urls": [{"url_status": "offline", "threat": None}]},
            "urlhaus:offline:2",
        ),
        ("address", "8.8.8.8", {"host": "8.8.8.8"}, {"query_status": "no_results"}, ""),
    ],
)
def test_urlhaus(
    ask: Asked,
    httpserver: HTTPServer,
    kind: Any,
    indicator: str,
    form: dict[str, str],
    answer: dict[str, Any],
    text: str,
) -> None:
    sent: list[dict[str, str]] = []

    def handle(request: Request) -> Response:
        sent.append(request.form.to_dict())
        return as_json(answer) if request.headers.get("Auth-Key") == KEY else as_json({}, 401)

    httpserver.expect_request(f"/v1/{next(iter(form))}/", "POST").respond_with_handler(handle)
    options = {"key": KEY, "url": httpserver.url_for("/v1")}
    assert texts(ask({"urlhaus": options}, kind, indicator)) == {indicator: text}
    assert sent == [form]
    refused = ask({"urlhaus": options | {"key": "old"}}, kind, indicator, fresh=True)
    assert outcomes(refused) == {indicator: "unauthorised"}
    assert statuses(refused) == {"urlhaus": "unauthorised"}


def test_threatfox(ask: Asked, httpserver: HTTPServer) -> None:
    def ioc(kind: str, text: str, confidence: int) -> dict[str, Any]:
        return {
            "ioc": text,
            "ioc_type": kind,
            "confidence_level": confidence,
            "malware_printable": "Dridex",
            "threat_type": "botnet_cc",
        }

    httpserver.expect_request(
        "/api/v1/", "POST", headers={"Auth-Key": KEY}, json={"query": "get_iocs", "days": 3}
    ).respond_with_json(
        {
            "query_status": "ok",
            "data": [
                ioc("ip:port", "8.8.8.8:443", 100),
                ioc("ip:port", "[2001:db8::1]:80", 50),
                ioc("domain", "evil.com", 25),
                ioc("md5_hash", "0" * 32, 100),
            ],
        }
    )
    options = {"key": KEY, "url": httpserver.url_for("/api/v1/"), "days": "3"}
    found = ask({"threatfox": options}, "uri", "8.8.8.8/", "[2001:db8::1]/x", "a.evil.com")
    assert texts(found) == {
        "8.8.8.8/": "threatfox:Dridex:3",
        "[2001:db8::1]/x": "threatfox:Dridex:2",
        "a.evil.com": "threatfox:Dridex:1",
    }


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ({"query_status": "unknown_auth_key"}, "unauthorised", "rejected the key"),
        ({"query_status": "illegal_days"}, "malformed", "rejected the query"),
        ({"query_status": "no_result", "data": "Your search did"}, "malformed", "has no entry"),
    ],
)
def test_threatfox_without_a_list(
    ask: Asked, httpserver: HTTPServer, answer: dict[str, str], status: str, reason: str
) -> None:
    httpserver.expect_request("/api/v1/").respond_with_json(answer)
    options = {"key": KEY, "url": httpserver.url_for("/api/v1/")}
    found = ask({"threatfox": options}, "address", "8.8.8.8")
    assert statuses(found) == {"threatfox": status}
    assert reason in found.outcomes[0].detail


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("unknown_auth_key", "unauthorised"),
        ("http_post_expected", "malformed"),
        ("invalid_url", "not found"),
    ],
)
def test_urlhaus_says_in_its_body_what_is_wrong(
    ask: Asked, httpserver: HTTPServer, status: str, outcome: str
) -> None:
    httpserver.expect_request("/url/", "POST").respond_with_json({"query_status": status})
    options = {"key": KEY, "url": httpserver.url_for("").rstrip("/")}
    assert outcomes(ask({"urlhaus": options}, "uri", "a.com/")) == {"a.com/": outcome}


def test_threatfox_without_a_key(ask: Asked, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/").respond_with_json({"error": "unauthorized"}, 401)
    options = {"key": KEY, "url": httpserver.url_for("/api/v1/")}
    found = ask({"threatfox": options}, "address", "8.8.8.8")
    assert outcomes(found) == {"8.8.8.8": "unauthorised"}
    assert statuses(found) == {"threatfox": "unauthorised"}
