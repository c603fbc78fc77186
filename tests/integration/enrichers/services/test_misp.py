"""MISP."""

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


def test_misp_page_by_page(ask: Asked, httpserver: HTTPServer) -> None:
    def attribute(value: str, level: str, info: str) -> dict[str, Any]:
        event = {"threat_level_id": level, "info": info}
        return {"value": value, "category": "Network activity", "Event": event}

    stored = [
        attribute("8.8.8.8", "3", "low"),
        attribute("8.8.8.8|443", "1", "high"),
        attribute("1.1.1.1", "4", "undefined"),
    ]
    asked: list[dict[str, Any]] = []

    def answer(request: Request) -> Response:
        question = request.get_json()
        asked.append(question)
        begin = (question["page"] - 1) * question["limit"]
        page = stored[begin : begin + question["limit"]]
        return as_json({"response": {"Attribute": page}})

    httpserver.expect_request(
        "/attributes/restSearch",
        "POST",
        headers={"Authorization": KEY, "Accept": "application/json"},
    ).respond_with_handler(answer)
    options = {"key": KEY, "url": httpserver.url_for("/"), "page_size": "2"}
    found = ask({"misp": options}, "address", "8.8.8.8", "1.1.1.1", "9.9.9.9")
    assert verdicts(found, "outcome", "severity", "category", "matched_entry") == {
        "8.8.8.8": ("answered", 3, "high", "8.8.8.8|443"),
        "1.1.1.1": ("answered", -1, "undefined", "1.1.1.1"),
        "9.9.9.9": ("not found", None, None, None),
    }
    assert [question["page"] for question in asked] == [1, 2]
    assert asked[0]["enforceWarninglist"] == 1
    assert asked[0]["value"] == ["8.8.8.8", "1.1.1.1", "9.9.9.9"]


@pytest.mark.parametrize("stored", ["https://a.com/x?y", "http://a.com/x?y", "a.com/x?y"])
def test_misp_knows_a_uri_however_it_is_written(
    ask: Asked, httpserver: HTTPServer, stored: str
) -> None:
    def answer(request: Request) -> Response:
        event = {"threat_level_id": "1", "info": "x"}
        found = [{"value": stored, "category": "Network activity", "Event": event}]
        asked = request.get_json()["value"]
        return as_json({"response": {"Attribute": found if stored in asked else []}})

    httpserver.expect_request("/attributes/restSearch", "POST").respond_with_handler(answer)
    services = {"misp": {"key": KEY, "url": httpserver.url_for("/")}}
    assert texts(ask(services, "uri", "a.com/x?y")) == {"a.com/x?y": "misp:Network activity:3"}
