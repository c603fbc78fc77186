"""Spamhaus DROP."""

from __future__ import annotations

import json

from pytest_httpserver import HTTPServer

from tests.support.reputation import Asked, verdicts


def test_spamhaus(ask: Asked, httpserver: HTTPServer) -> None:
    metadata = {
        "type": "metadata",
        "timestamp": 1_795_000_000,
        "records": 1,
        "copyright": "(c) 2026 The Spamhaus Project",
    }
    for name, cidr in (("drop_v4", "1.10.16.0/20"), ("drop_v6", "2001:db8::/32")):
        lines = [{"cidr": cidr, "sblid": "SBL1", "rir": "apnic"}, metadata]
        httpserver.expect_ordered_request(f"/drop/{name}.json").respond_with_data(
            "\n".join(map(json.dumps, lines))
        )
    services = {"spamhaus": {"url": httpserver.url_for("/drop")}}
    found = ask(services, "address", "1.10.31.255", "1.10.32.0", "2001:db8::1")
    assert verdicts(found, "outcome", "severity", "matched_entry", "category") == {
        "1.10.31.255": ("answered", 3, "1.10.16.0/20", "SBL1"),
        "1.10.32.0": ("not found", None, None, None),
        "2001:db8::1": ("answered", 3, "2001:db8::/32", "SBL1"),
    }
    (outcome,) = found.outcomes
    assert outcome.attribution == "(c) 2026 The Spamhaus Project, as of 2026-11-18"
    assert outcome.skipped == 0
    assert "(c) 2026" in (ask.home / "cache" / "feeds" / "spamhaus").read_text()
    ask(services, "address", "1.10.31.255")
    httpserver.check_assertions()
