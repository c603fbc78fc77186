"""What every service has to stand: faults, its budget, pages that count."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from python_enrichers.reputation.services import fb, misp, otx
from tests.support.reputation import KEY, Asked, outcomes, statuses, texts

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
    assert "the day's budget of 2 calls is used up, " in found.outcomes[0].detail


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


NOTHING = {
    "abuseipdb": ["[]", '{"data": []}', '{"data": null}'],
    "fb": [
        json.dumps([{"code": 200, "body": body}])
        for body in ("[]", '{"data": []}', '{"data": {}, "paging": []}', '{"data": null}')
    ],
    "greynoise": ["[]", "{}"],
    "greynoise bulk": [
        "[]",
        '{"data": []}',
        '{"data": {}}',
        json.dumps(
            {
                "data": [
                    {
                        "ip": "8.8.8.8",
                        "internet_scanner_intelligence": [],
                        "business_service_intelligence": [],
                    }
                ]
            }
        ),
    ],
    "gti": ["[]", '{"a": []}', '{"a": {}}', '{"a": [[]]}', '{"a": [null]}'],
    "misp": [
        "[]",
        '{"response": []}',
        '{"response": {"Attribute": []}}',
        '{"response": {"Attribute": {}}}',
        '{"response": {}}',
    ],
    "otx": ["[]", '{"pulse_info": []}', '{"pulse_info": {"count": 0, "pulses": null}}'],
    "urlhaus": ["[]", '{"query_status": "no_results"}', '{"query_status": "ok", "urls": []}'],
    "virustotal": [
        "[]",
        '{"data": []}',
        '{"data": null}',
        '{"data": {"attributes": []}}',
        '{"data": {"attributes": {"last_analysis_stats": []}}}',
    ],
}


@pytest.mark.parametrize(
    ("name", "body"), [(name, body) for name in ONE_BY_ONE for body in NOTHING[name]]
)
def test_an_empty_list_where_an_object_is_expected_is_not_found(
    ask: Asked, httpserver: HTTPServer, name: str, body: str
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_data(body)
    found = ask(
        configured(ONE_BY_ONE, name, httpserver.url_for("").rstrip("/")), "address", "8.8.8.8"
    )
    assert outcomes(found) == {"8.8.8.8": "not found"}
    assert set(statuses(found).values()) == {"ok"}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("abuseipdb", "[]"),
        ("abuseipdb", '{"data": {}}'),
        ("abuseipdb", '{"data": [{"ipAddress": "?", "abuseConfidenceScore": 99}]}'),
        ("otx", "[]"),
        ("otx", '{"results": null}'),
        ("otx", '{"results": [{"name": "x", "indicators": []}], "next": null}'),
        ("spamhaus", "[]"),
        ("spamhaus", '{"type": "metadata", "records": 0}'),
        ("spamhaus", '{"cidr": "1.2.3.0/99"}'),
        ("threatfox", "[]"),
        ("threatfox", '{"query_status": "ok", "data": []}'),
        ("threatfox", '{"query_status": "ok", "data": {"1": []}}'),
    ],
)
def test_a_list_with_nothing_in_it_does_not_replace_the_copy(
    ask: Asked, httpserver: HTTPServer, name: str, body: str
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_data(body)
    services = configured(LISTS, name, httpserver.url_for("").rstrip("/"))
    found = ask(services, "address", "8.8.8.8")
    assert outcomes(found) == {"8.8.8.8": "malformed"}
    assert set(statuses(found).values()) == {"malformed"}
    assert list((ask.home / "cache" / "feeds").iterdir()) == []


@pytest.mark.parametrize(
    "response",
    [
        lambda attribute: {"Attribute": [attribute]},
        lambda attribute: {"Attribute": attribute},
        lambda attribute: [{"Attribute": attribute}],
        lambda attribute: [{"Attribute": [attribute]}],
    ],
)
def test_misp_as_a_list_or_an_object(
    ask: Asked, httpserver: HTTPServer, response: Callable[[Any], Any]
) -> None:
    attribute = {"value": "8.8.8.8", "category": "C2", "Event": {"threat_level_id": "1"}}
    httpserver.expect_request("/attributes/restSearch").respond_with_json(
        {"response": response(attribute)}
    )
    options = {"key": KEY, "url": httpserver.url_for("/")}
    assert texts(ask({"misp": options}, "address", "8.8.8.8")) == {"8.8.8.8": "misp:C2:3"}


def test_gti_as_a_single_object(ask: Asked, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_json({"a": {"rep": 60}})
    found = ask({"gti": {"url": httpserver.url_for("/")}}, "address", "8.8.8.8")
    assert texts(found) == {"8.8.8.8": "gti:High:3"}


# --- pages that end early ----------------------------------------------------------------------


def test_more_pages_of_misp_than_are_read_are_a_warning(
    ask: Asked, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(misp, "MAX_PAGES", 2)
    attribute = {"value": "8.8.8.8", "category": "C2", "Event": {"threat_level_id": "1"}}
    httpserver.expect_request("/attributes/restSearch").respond_with_json(
        {"response": {"Attribute": [attribute]}}
    )
    options = {"key": KEY, "url": httpserver.url_for("/"), "page_size": "1"}
    found = ask({"misp": options}, "address", "8.8.8.8", "9.9.9.9")
    assert texts(found)["8.8.8.8"] == "misp:C2:3"
    assert outcomes(found)["9.9.9.9"] == "not asked"
    assert statuses(found) == {"misp": "partial"}
    assert "more than 2 pages" in found.outcomes[0].detail
    # What was not seen to its end is not kept as "not found".
    again = ask({"misp": options}, "address", "9.9.9.9")
    assert outcomes(again) == {"9.9.9.9": "not asked"}


def test_more_pages_of_fb_than_are_read_are_a_warning(
    ask: Asked, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fb, "MAX_PAGES", 2)
    more = {"next": "https://elsewhere.com/?after=1", "cursors": {"after": "1"}}
    body = json.dumps({"data": [{"status": "SUSPICIOUS"}], "paging": more})
    httpserver.expect_request("/v26.0/").respond_with_json([{"code": 200, "body": body}])
    options = {"app_id": "7", "app_secret": KEY, "url": httpserver.url_for("").rstrip("/")}
    found = ask({"fb": options}, "address", "8.8.8.8")
    assert texts(found) == {"8.8.8.8": "fb:SUSPICIOUS:2"}
    assert statuses(found) == {"fb": "partial"}
    assert "more than 2 pages" in found.outcomes[0].detail


def test_more_pages_of_pulses_than_are_read_are_a_warning_as_long_as_the_copy_is_used(
    ask: Asked, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otx, "MAX_PAGES", 2)
    pulse = {"name": "x", "indicators": [{"type": "IPv4", "indicator": "8.8.8.8"}]}
    httpserver.expect_request("/pulses/subscribed").respond_with_json(
        {"results": [pulse], "next": "https://elsewhere.com/?page=3"}
    )
    services = configured(LISTS, "otx", httpserver.url_for("").rstrip("/"))
    for _ in range(2):
        found = ask(services, "address", "8.8.8.8")
        assert texts(found) == {"8.8.8.8": "otx_pulses:Pulse:2"}
        assert statuses(found) == {"otx_pulses": "partial"}
        assert "after page 2 are missing" in found.outcomes[0].detail
    assert len(httpserver.log) == 1
