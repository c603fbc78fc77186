"""What `spot-oa doctor` says of configured sources."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_httpserver import HTTPServer

from flows.cli.doctor import examine
from tests.support.reputation import KEY, Asked

STATS = {"data": {"attributes": {"last_analysis_stats": {"malicious": 0, "suspicious": 0}}}}


@pytest.mark.parametrize(
    ("status", "usable", "words"),
    [
        (
            200,
            True,
            "virustotal: reachable, accepts the key if it needs one, 6 of 7 calls",
        ),
        (401, False, "virustotal: unauthorised, localhost answered HTTP 401: check its key, 6 of"),
        (503, False, "virustotal: unavailable, localhost answered HTTP 503, 6 of 7 calls left"),
    ],
)
def test_services_and_lists(
    ask: Asked, httpserver: HTTPServer, status: int, usable: bool, words: str
) -> None:
    httpserver.expect_request("/ip_addresses/8.8.8.8").respond_with_json(STATS, status)
    httpserver.expect_request("/list").respond_with_data("8.8.8.8\n")
    httpserver.expect_request("/nothing").respond_with_data("", 404)
    url = httpserver.url_for("").rstrip("/")
    settings = ask.settings(
        {
            "virustotal": {"key": KEY, "url": url, "daily": "7"},
            "feeds": {
                "good": {"url": httpserver.url_for("/list")},
                "bad": {"url": httpserver.url_for("/nothing")},
            },
        }
    )
    findings = [(ok, text.strip()) for ok, text in examine(settings)]
    assert any(text.startswith(words) and bool(ok) is usable for ok, text in findings)
    good, bad = (
        next((ok, text) for ok, text in findings if text.startswith(f"{name}: "))
        for name in ("good", "bad")
    )
    assert good[0]
    assert good[1].startswith("good: entries: 1, written ")
    assert good[1].endswith(", 0 days old, 99 of 100 calls left today")
    assert not bad[0]
    assert bad[1] == "bad: malformed, localhost answered HTTP 404, 99 of 100 calls left today"
    assert KEY not in str(findings)


def test_a_bad_option_and_a_broken_file_are_findings(
    ask: Asked, write_context_in: Callable[..., None]
) -> None:
    write_context_in(ask.home, "netbox/prefixes.json", "{")
    findings = list(examine(ask.settings({"virustotal": {"kee": KEY}})))
    faults = [text for ok, text in findings if not ok]
    assert any("sources of reputation: SPOT_OA_SERVICES__VIRUSTOTAL" in text for text in faults)
    assert any("sources of network_context: NetBox export" in text for text in faults)
    assert KEY not in str(findings)
