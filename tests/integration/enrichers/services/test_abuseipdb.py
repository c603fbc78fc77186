"""AbuseIPDB, checks and blacklist."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.support.reputation import KEY, Asked, outcomes, texts


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"abuseConfidenceScore": 100, "totalReports": 5}, "abuseipdb:Score 100:3"),
        ({"abuseConfidenceScore": 75, "totalReports": 5}, "abuseipdb:Score 75:3"),
        ({"abuseConfidenceScore": 40, "totalReports": 5}, "abuseipdb:Score 40:2"),
        ({"abuseConfidenceScore": 1, "totalReports": 5}, "abuseipdb:Score 1:1"),
        ({"abuseConfidenceScore": 0, "totalReports": 5}, "abuseipdb:Score 0:0"),
        ({"abuseConfidenceScore": 0, "totalReports": 0}, ""),
        (
            {"abuseConfidenceScore": 9, "totalReports": 5, "isWhitelisted": True},
            "abuseipdb:Whitelisted:0",
        ),
    ],
)
def test_abuseipdb(ask: Asked, httpserver: HTTPServer, data: dict[str, Any], text: str) -> None:
    httpserver.expect_request(
        "/check",
        "GET",
        headers={"Key": KEY},
        query_string={"ipAddress": "8.8.8.8", "maxAgeInDays": "30"},
    ).respond_with_json({"data": {"isWhitelisted": None, "usageType": "Data Center"} | data})
    options = {"key": KEY, "url": httpserver.url_for("").rstrip("/")}
    assert texts(ask({"abuseipdb": options}, "address", "8.8.8.8")) == {"8.8.8.8": text}


def test_abuseipdb_blacklist_is_a_list(ask: Asked, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/blacklist", headers={"Key": KEY}).respond_with_json(
        {
            "meta": {"generatedAt": "2026-11-21T00:00:00+00:00"},
            "data": [
                {"ipAddress": "8.8.8.8", "abuseConfidenceScore": 100},
                {"ipAddress": "2001:db8::1", "abuseConfidenceScore": 90},
                {"ipAddress": "?", "abuseConfidenceScore": "?"},
            ],
        }
    )
    options = {
        "key": KEY,
        "url": httpserver.url_for("").rstrip("/"),
        "check": "false",
        "blacklist": "true",
    }
    found = ask({"abuseipdb": options}, "address", "8.8.8.8", "2001:db8:0::1", "10.0.0.1")
    assert texts(found)["2001:db8:0::1"] == "abuseipdb_blacklist:Score 90:3"
    assert outcomes(found)["10.0.0.1"] == "not found"
    assert found.outcomes[0].skipped == 1
    # The second run answers from the copy: the server would refuse another request.
    assert texts(ask({"abuseipdb": options}, "address", "8.8.8.8")) == {
        "8.8.8.8": "abuseipdb_blacklist:Score 100:3"
    }
    httpserver.check_assertions()
