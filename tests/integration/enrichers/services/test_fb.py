"""Meta ThreatExchange."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

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


class Graph:
    """The part of the Graph API that answers batches."""

    def __init__(self, descriptors: dict[str, list[dict[str, Any]]], *, page: int = 100) -> None:
        self.descriptors = descriptors
        self.page = page
        self.batches: list[list[str]] = []

    def __call__(self, request: Request) -> Response:
        if request.form["access_token"] != f"77|{KEY}":
            error = {"error": {"type": "OAuthException", "code": 190}}
            return as_json(error, 400)
        urls = [part["relative_url"] for part in json.loads(request.form["batch"])]
        self.batches.append(urls)
        return as_json([self._one(url) for url in urls])

    def _one(self, url: str) -> dict[str, Any]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert query["strict_text"] == "true"
        found = self.descriptors.get(f"{query['type']} {query['text']}", [])
        begin = int(query.get("after", 0))
        end = begin + self.page
        body: dict[str, Any] = {"data": found[begin:end]}
        if end < len(found):
            elsewhere = f"https://elsewhere.com/?access_token={KEY}&after={end}"
            body["paging"] = {"next": elsewhere, "cursors": {"after": str(end)}}
        return {"code": 200, "body": json.dumps(body)}


def fb(httpserver: HTTPServer, graph: Graph, **options: str) -> dict[str, dict[str, str]]:
    httpserver.expect_request("/v26.0/", "POST").respond_with_handler(graph)
    url = httpserver.url_for("").rstrip("/")
    return {"fb": {"app_id": "77", "app_secret": KEY, "url": url} | options}


def test_fb_takes_the_worst_status_of_all_pages(ask: Asked, httpserver: HTTPServer) -> None:
    statuses_ = ["UNKNOWN", "NON_MALICIOUS", "SUSPICIOUS", "MALICIOUS"]
    graph = Graph(
        {
            "IP_ADDRESS 8.8.8.8": [
                {"status": status, "confidence": 50, "severity": "SEVERE"} for status in statuses_
            ],
            "IP_ADDRESS 1.1.1.1": [{"status": "NON_MALICIOUS"}],
        },
        page=1,
    )
    found = ask(fb(httpserver, graph), "address", "8.8.8.8", "1.1.1.1", "9.9.9.9")
    assert texts(found) == {
        "8.8.8.8": "fb:MALICIOUS:3",
        "1.1.1.1": "fb:NON_MALICIOUS:0",
        "9.9.9.9": "",
    }
    assert outcomes(found)["9.9.9.9"] == "not found"
    assert [len(batch) for batch in graph.batches] == [3, 1, 1, 1]


@pytest.mark.parametrize(("kind", "form"), [("name", "DOMAIN a.com"), ("uri", "URI http://a.com/")])
def test_fb_types(ask: Asked, httpserver: HTTPServer, kind: Any, form: str) -> None:
    graph = Graph({form: [{"status": "SUSPICIOUS"}]})
    indicator = form.partition(" ")[2]
    found = ask(fb(httpserver, graph), kind, indicator)
    assert texts(found) == {indicator: "fb:SUSPICIOUS:2"}


def test_fb_batches_of_fifty(ask: Asked, httpserver: HTTPServer) -> None:
    graph = Graph({})
    addresses = [f"8.8.{n // 200}.{n % 200}" for n in range(120)]
    found = ask(fb(httpserver, graph), "address", *addresses, service_threads=1)
    assert [len(batch) for batch in graph.batches] == [50, 50, 20]
    assert set(outcomes(found).values()) == {"not found"}


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, 190, "unauthorised"),
        (401, 190, "unauthorised"),
        (403, 200, "unauthorised"),
        (400, 4, "unavailable"),
        (403, 613, "unavailable"),
        (400, 100, "malformed"),
    ],
)
@pytest.mark.parametrize("part", [False, True])
def test_fb_tells_limits_from_bad_tokens(
    ask: Asked, httpserver: HTTPServer, status: int, code: int, outcome: str, part: bool
) -> None:
    error = {"error": {"type": "OAuthException", "code": code, "message": KEY}}
    whole = [{"code": status, "body": json.dumps(error)}]
    answer = as_json(whole) if part else as_json(error, status)
    httpserver.expect_request("/v26.0/", "POST").respond_with_response(answer)
    options = {"app_id": "77", "app_secret": KEY, "url": httpserver.url_for("").rstrip("/")}
    found = ask({"fb": options}, "address", "8.8.8.8")
    assert outcomes(found) == {"8.8.8.8": outcome}
    assert KEY not in found.outcomes[0].detail


def test_fb_keeps_what_was_answered_beside_what_was_not(ask: Asked, httpserver: HTTPServer) -> None:
    error = {"code": 400, "body": json.dumps({"error": {"code": 100}})}
    odd = {"code": 200, "body": json.dumps({"data": [{"status": "BRAND_NEW"}]})}
    good = {"code": 200, "body": json.dumps({"data": [{"status": "MALICIOUS"}]})}
    httpserver.expect_request("/v26.0/", "POST").respond_with_json([good, error, odd, None])
    options = {"app_id": "77", "app_secret": KEY, "url": httpserver.url_for("").rstrip("/")}
    found = ask({"fb": options}, "address", "8.8.8.8", "1.1.1.1", "9.9.9.9", "8.8.4.4")
    assert outcomes(found) == {
        "8.8.8.8": "answered",
        "1.1.1.1": "malformed",
        "9.9.9.9": "answered",
        "8.8.4.4": "unavailable",
    }
    assert texts(found)["9.9.9.9"] == "fb:BRAND_NEW:-1"


def test_fb_with_a_bad_token(ask: Asked, httpserver: HTTPServer) -> None:
    found = ask(fb(httpserver, Graph({}), app_secret="other"), "address", "8.8.8.8")
    assert outcomes(found) == {"8.8.8.8": "unauthorised"}
