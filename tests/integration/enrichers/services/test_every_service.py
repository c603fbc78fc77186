"""What every service has to stand: faults, its budget, pages that count."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.integration.enrichers.conftest import KEY, Asked, outcomes

ONE_BY_ONE = {
    "abuseipdb": {"key": KEY},
    "fb": {"app_id": "77", "app_secret": KEY},
    "greynoise": {},
    "greynoise bulk": {"key": KEY, "bulk": "true", "batch_size": "1"},
    "gti": {"batch_size": "1"},
    "misp": {"key": KEY, "batch_size": "1"},
    "otx": {"key": KEY},
    "urlhaus": {"key": KEY},
    "virustotal": {"key": KEY},
}
LISTS = {
    "abuseipdb": {"key": KEY, "check": "false", "blacklist": "true"},
    "otx": {"key": KEY, "check": "false", "pulses": "true"},
    "spamhaus": {},
    "threatfox": {"key": KEY},
}
FAULTS = [
    (401, "", "unauthorised"),
    (429, "", "unavailable"),
    (503, "", "unavailable"),
    (200, "<html>", "malformed"),
    (200, "[" * 99_999, "malformed"),
    (200, '{"data": 5, "a": 5, "response": 5, "pulse_info": 5}', "malformed"),
]


def configured(services: dict[str, dict[str, str]], name: str, url: str) -> dict[str, Any]:
    return {name.split(maxsplit=1)[0]: services[name] | {"url": url}}


@pytest.mark.parametrize(("status", "body", "outcome"), FAULTS)
@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_every_service_that_fails_has_an_outcome_and_is_asked_again(
    ask: Asked, httpserver: HTTPServer, name: str, status: int, body: str, outcome: str
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_data(body, status)
    services = configured(ONE_BY_ONE, name, httpserver.url_for("").rstrip("/"))
    for asked in (1, 2):
        assert outcomes(ask(services, "address", "8.8.8.8")) == {"8.8.8.8": outcome}
        assert len(httpserver.log) == asked


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_every_service_keeps_to_its_budget(ask: Asked, httpserver: HTTPServer, name: str) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_data("{}", 422)
    services = configured(ONE_BY_ONE, name, httpserver.url_for("").rstrip("/"))
    (options,) = services.values()
    options["daily"] = "2"
    addresses = [f"8.8.{n // 200}.{n % 200}" for n in range(200)]
    found = ask(services, "address", *addresses)
    assert len(httpserver.log) == 2
    said = list(outcomes(found).values())
    assert said[0] == "malformed"
    assert said[-1] == "not asked"
    assert "the day's budget of 2 calls is spent, " in found.outcomes[0].detail


@pytest.mark.parametrize(("status", "body", "outcome"), FAULTS)
@pytest.mark.parametrize("name", LISTS)
def test_every_list_that_fails_has_an_outcome(
    ask: Asked, httpserver: HTTPServer, name: str, status: int, body: str, outcome: str
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_data(body, status)
    found = ask(configured(LISTS, name, httpserver.url_for("").rstrip("/")), "address", "8.8.8.8")
    assert outcomes(found) == {"8.8.8.8": outcome}


def test_pages_count_as_calls(ask: Asked, httpserver: HTTPServer) -> None:
    event = {"threat_level_id": "1", "info": "x"}
    page = [{"value": "8.8.8.8", "category": "Network activity", "Event": event}]
    httpserver.expect_request("/attributes/restSearch").respond_with_json(
        {"response": {"Attribute": page}}
    )
    options = {"key": KEY, "url": httpserver.url_for("/"), "page_size": "1", "daily": "3"}
    found = ask({"misp": options}, "address", "8.8.8.8")
    assert len(httpserver.log) == 3
    assert outcomes(found) == {"8.8.8.8": "not asked"}
