"""What every live service is protected by: its budget, faults, other services, the cache."""

from __future__ import annotations

import datetime as dt
import json
import socket
import time
from collections.abc import Callable

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from tests.support.lookups import column
from tests.support.recorder import STATS, Recorder, always, virustotal
from tests.support.reputation import (
    KEY,
    PUBLIC,
    Asked,
    details,
    outcomes,
    statuses,
    texts,
    verdicts,
)

# --- the most suspicious first, within the budget ------------------------------------------------


def test_the_budget_goes_to_the_highest_ranked(ask: Asked, httpserver: HTTPServer) -> None:
    recorder = Recorder()
    services = virustotal(httpserver, recorder, daily="2")
    found = ask(services, "address", "10.0.0.1", *PUBLIC, service_threads=1)
    assert recorder.requests == ["8.8.8.8", "1.1.1.1"]
    assert outcomes(found) == {
        "10.0.0.1": "not asked",
        "8.8.8.8": "answered",
        "1.1.1.1": "answered",
        "9.9.9.9": "not asked",
        "2001:4860:4860::8888": "not asked",
    }
    (outcome,) = found.outcomes
    assert (outcome.status, outcome.asked, outcome.found) == ("partial", 2, 2)
    assert "2 not asked, the day's budget of 2 calls is used up" in outcome.detail
    assert "0 of 2 calls left today" in outcome.detail


def test_the_budget_lasts_over_runs_and_the_cache_spares_it(
    ask: Asked, httpserver: HTTPServer
) -> None:
    recorder = Recorder()
    services = virustotal(httpserver, recorder, daily="2")
    ask(services, "address", "8.8.8.8")
    ask(services, "address", "8.8.8.8", "1.1.1.1")
    found = ask(services, "address", "8.8.8.8", "1.1.1.1", "9.9.9.9")
    assert recorder.requests == ["8.8.8.8", "1.1.1.1"]
    assert list(outcomes(found).values()) == ["answered", "answered", "not asked"]
    assert "2 from the cache" in details(found)[0]


def test_retries_count(ask: Asked, httpserver: HTTPServer) -> None:
    recorder = Recorder(always(503))
    services = virustotal(httpserver, recorder, daily="2")
    found = ask(services, "address", "8.8.8.8", http_attempts=3)
    assert len(recorder.requests) == 2
    assert outcomes(found) == {"8.8.8.8": "not asked"}


def test_equal_indicators_are_asked_once(ask: Asked, httpserver: HTTPServer) -> None:
    recorder = Recorder()
    services = virustotal(httpserver, recorder)
    found = ask(services, "name", "Evil.com", "evil.com.", "EVIL.COM")
    assert recorder.requests == ["evil.com"]
    assert set(texts(found).values()) == {"virustotal:9 of 9:3"}
    addresses = ask(services, "address", "8.8.8.8", "::ffff:8.8.8.8")
    assert recorder.requests == ["evil.com", "8.8.8.8"]
    assert set(texts(addresses).values()) == {"virustotal:9 of 9:3"}


def test_calls_a_minute(ask: Asked, httpserver: HTTPServer) -> None:
    recorder = Recorder()
    services = virustotal(httpserver, recorder, per_minute="2")
    begin = time.monotonic()
    found = ask(services, "address", *PUBLIC, service_seconds=5)
    # A minute, if it waited for the next calls.
    assert time.monotonic() - begin < 20
    assert len(recorder.requests) == 2
    assert "more than 2 calls a minute" in details(found)[0]


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, "", "unauthorised"),
        (403, "", "unauthorised"),
        (429, "", "unavailable"),
        (500, "", "unavailable"),
        (503, "", "unavailable"),
        (302, "", "unavailable"),
        (422, "{}", "malformed"),
        (200, "<html>", "malformed"),
        (200, "", "malformed"),
        (200, "null", "malformed"),
        (200, '["x"]', "malformed"),
        (200, '{"data": {"attributes": {"last_analysis_stats": {"malicious": "x"}}}}', "malformed"),
        (404, "", "not found"),
    ],
)
def test_every_fault_is_an_outcome(
    ask: Asked, httpserver: HTTPServer, status: int, body: str, outcome: str
) -> None:
    recorder = Recorder(always(status, body, Location="http://127.0.0.1:9/"))
    found = ask(virustotal(httpserver, recorder), "address", "8.8.8.8")
    assert verdicts(found, "outcome", "severity", "label", "expires_at")["8.8.8.8"][:3] == (
        outcome,
        None,
        None,
    )
    assert statuses(found) == {"virustotal": "ok" if status == 404 else outcome}
    assert texts(found) == {"8.8.8.8": ""}


@pytest.mark.parametrize(("status", "kept"), [(200, True), (404, True), (500, False), (401, False)])
def test_only_answers_are_kept(ask: Asked, httpserver: HTTPServer, status: int, kept: bool) -> None:
    recorder = Recorder(always(status, json.dumps(STATS)))
    services = virustotal(httpserver, recorder)
    ask(services, "address", "8.8.8.8")
    ask(services, "address", "8.8.8.8")
    assert len(recorder.requests) == (1 if kept else 2)
    ask(services, "address", "8.8.8.8", fresh=True)
    assert len(recorder.requests) == (2 if kept else 3)


def test_nobody_at_home(ask: Asked) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    found = ask({"virustotal": {"key": KEY, "url": url}}, "address", "8.8.8.8")
    assert outcomes(found) == {"8.8.8.8": "unavailable"}
    assert "127.0.0.1: cannot be reached" in details(found)[0]


def test_a_bad_key_is_tried_once(ask: Asked, httpserver: HTTPServer) -> None:
    recorder = Recorder(always(401))
    services = virustotal(httpserver, recorder)
    found = ask(services, "address", *PUBLIC, http_attempts=3, service_threads=1)
    assert len(recorder.requests) == 1
    assert list(outcomes(found).values()) == ["unauthorised", *["not asked"] * 3]
    assert statuses(found) == {"virustotal": "unauthorised"}


def test_a_service_that_is_down_is_left_alone(ask: Asked, httpserver: HTTPServer) -> None:
    recorder = Recorder(always(500))
    addresses = [f"8.8.8.{n}" for n in range(10)]
    found = ask(virustotal(httpserver, recorder), "address", *addresses, service_threads=1)
    assert len(recorder.requests) == 3
    assert list(outcomes(found).values()) == ["unavailable"] * 3 + ["not asked"] * 7


def test_odd_indicators_do_not_shield_the_others(ask: Asked, httpserver: HTTPServer) -> None:
    recorder = Recorder(lambda n: Response(json.dumps(STATS), 200 if n == 6 else 422))
    addresses = [f"8.8.8.{n}" for n in range(6)]
    found = ask(virustotal(httpserver, recorder), "address", *addresses, service_threads=1)
    assert list(outcomes(found).values()) == ["malformed"] * 5 + ["answered"]


def test_one_answer_in_between_is_enough(ask: Asked, httpserver: HTTPServer) -> None:
    recorder = Recorder(lambda n: Response(json.dumps(STATS), 200 if n % 3 == 0 else 500))
    addresses = [f"8.8.8.{n}" for n in range(9)]
    found = ask(virustotal(httpserver, recorder), "address", *addresses, service_threads=1)
    assert list(outcomes(found).values()).count("answered") == 3
    assert statuses(found) == {"virustotal": "unavailable"}


# --- several services ----------------------------------------------------------------------------


def test_services_that_disagree_are_both_kept(
    ask: Asked, httpserver: HTTPServer, write_context_in: Callable[..., None]
) -> None:
    write_context_in(ask.home, "reputation/aaa.csv", "8.8.8.8,Fine,0\n")
    found = ask(virustotal(httpserver, Recorder()), "address", "8.8.8.8")
    assert texts(found) == {"8.8.8.8": "aaa:Fine:0::virustotal:9 of 9:3"}
    assert column(found.tables["reputation"], "indicator", "severity") == {"8.8.8.8": 3}


def test_an_outage_of_one_does_not_touch_the_other(ask: Asked, httpserver: HTTPServer) -> None:
    services = virustotal(httpserver, Recorder())
    services["greynoise"] = {"url": "http://127.0.0.1:9"}
    found = ask(services, "address", "8.8.8.8")
    assert statuses(found) == {"greynoise": "unavailable", "virustotal": "ok"}
    assert texts(found) == {"8.8.8.8": "virustotal:9 of 9:3"}


def test_nothing_is_fetched_unless_configured(ask: Asked) -> None:
    found = ask({}, "address", "8.8.8.8")
    assert found.outcomes == []
    assert not (ask.home / "cache").exists()


# --- the cache -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "malicious", "hours"), [(200, 9, 2.0), (200, 0, 5.0), (404, 0, 1.0)]
)
def test_answers_last_by_their_kind(
    ask: Asked,
    httpserver: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    malicious: int,
    hours: float,
) -> None:
    stats = {"malicious": malicious, "suspicious": 0, "harmless": 1}
    body = json.dumps({"data": {"attributes": {"last_analysis_stats": stats}}})
    recorder = Recorder(always(status, body))
    services = virustotal(httpserver, recorder)
    ttl = {"ttl_suspicious": 2, "ttl_harmless": 5, "ttl_not_found": 1}
    found = ask(services, "address", "8.8.8.8", **ttl)
    times = found.tables["reputation_verdicts"][["fetched_at", "expires_at"]].iloc[0]
    assert times["expires_at"] - times["fetched_at"] == dt.timedelta(hours=hours)

    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + hours * 3600 - 60)
    ask(services, "address", "8.8.8.8", **ttl)
    assert len(recorder.requests) == 1
    monkeypatch.setattr("time.time", lambda: now + hours * 3600 + 60)
    ask(services, "address", "8.8.8.8", **ttl)
    assert len(recorder.requests) == 2


def test_an_answer_that_is_not_to_be_kept_still_counts(ask: Asked, httpserver: HTTPServer) -> None:
    recorder = Recorder()
    services = virustotal(httpserver, recorder)
    for _ in range(2):
        found = ask(services, "address", "8.8.8.8", ttl_suspicious=0)
        assert texts(found) == {"8.8.8.8": "virustotal:9 of 9:3"}
    assert len(recorder.requests) == 2


def test_quotes_in_an_indicator_do_not_reach_the_stores_sql(
    ask: Asked, httpserver: HTTPServer
) -> None:
    services = virustotal(httpserver, Recorder())
    uri = "evil.com/'; drop table responses; --"
    for _ in range(2):
        assert texts(ask(services, "uri", uri)) == {uri: "virustotal:9 of 9:3"}
