"""What every live service is protected by: limits, faults, the cache, and what is never sent."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from spot_oa.errors import ConfigError
from spot_oa.pipelines import IndicatorType
from tests.integration.enrichers.conftest import (
    KEY,
    PUBLIC,
    Asked,
    details,
    outcomes,
    statuses,
    texts,
    verdicts,
)
from tests.unit.enrichers.conftest import column

STATS = {"data": {"attributes": {"last_analysis_stats": {"malicious": 9, "suspicious": 0}}}}
QUICK = {"per_minute": "1000"}


class Recorder:
    """VirusTotal, writing down all that it is asked."""

    def __init__(self, answer: Callable[[int], Response] | None = None) -> None:
        self.requests: list[str] = []
        self.seen: list[str] = []
        self._answer = answer or (lambda _: Response(json.dumps(STATS)))

    def __call__(self, request: Request) -> Response:
        path = request.environ["RAW_URI"]
        self.requests.append(path.rpartition("/")[2])
        self.seen.append(path + str(request.headers) + request.get_data(as_text=True))
        return self._answer(len(self.requests))


def virustotal(
    httpserver: HTTPServer, recorder: Recorder, **options: str
) -> dict[str, dict[str, str]]:
    httpserver.expect_request(re.compile(".*")).respond_with_handler(recorder)
    url = httpserver.url_for("").rstrip("/")
    return {"virustotal": {"key": KEY, "url": url} | QUICK | options}


def always(status: int, body: str = "", **headers: str) -> Callable[[int], Response]:
    return lambda _: Response(body, status, headers)


# --- what is never sent ------------------------------------------------------------------------

WITHHELD = {
    "address": [
        "10.0.0.1",
        "172.16.5.5",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.251",
        "240.0.0.1",
        "255.255.255.255",
        "203.0.113.9",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff0e::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "5.5.5.5",
        "2a00:1::7",
        "no address",
        "",
    ],
    "name": [
        "localhost",
        "intranet",
        "printer.local",
        "1.0.0.10.in-addr.arpa",
        "db.corp.example.org",
        "CORP.example.org.",
        "x.lan",
        "10.0.0.1",
        "5.5.5.5",
        "a..com",
        "a b.com",
        "../../admin",
        "evil.com/x",
        "m\u00fcnchen.de",
        "x" * 64 + ".com",
        "",
    ],
    "uri": [
        "10.0.0.1/x",
        "http://[fe80::1]/x",
        "user:secret@10.0.0.1/x",
        "https://intranet/x",
        "db.corp.example.org:8443/x",
        "ftp://files.com/x",
        "5.5.5.5:80/",
        "http://evil.com@10.0.0.1/",
        "-",
        "",
    ],
}


@pytest.mark.parametrize("kind", WITHHELD)
def test_what_is_not_public_never_leaves(
    ask: Asked, httpserver: HTTPServer, write_context_in: Callable[..., None], kind: str
) -> None:
    write_context_in(ask.home, "ipranges.csv", "5.5.5.0,5.5.5.255,ours\n2a00:1::,2a00:1::ff,six\n")
    recorder = Recorder()
    services = virustotal(httpserver, recorder)
    found = ask(services, kind, *WITHHELD[kind], internal_domains="corp.example.org")
    assert recorder.seen == []
    assert set(outcomes(found).values()) == {"not asked"}
    assert set(column(found.tables["reputation"], "indicator", "reputation").values()) == {""}
    assert statuses(found) == {"virustotal": "ok"}
    assert f"{len(WITHHELD[kind])} not for others" in details(found)[0]


@pytest.mark.parametrize(
    ("domains", "name"),
    [
        ("b\u00fcro.example.org", "xn--bro-hoa.example.org"),
        ("b\u00fcro.example.org", "db.XN--BRO-HOA.example.org."),
        ("*.corp.example.org", "db.corp.example.org"),
        (".corp.example.org.", "corp.example.org"),
        ("Corp.Example.Org", "db.corp.example.org"),
        ("a.org, corp.example.org", "db.corp.example.org"),
        ("secret", "db.secret"),
    ],
)
def test_internal_domains_however_they_are_written(
    ask: Asked, httpserver: HTTPServer, domains: str, name: str
) -> None:
    recorder = Recorder()
    services = virustotal(httpserver, recorder)
    for kind in ("name", "uri"):
        assert outcomes(ask(services, kind, name, internal_domains=domains)) == {name: "not asked"}
    assert recorder.seen == []


@pytest.mark.parametrize("domain", ["https://corp.example.org", "a b", "*", "b\u00fcro..org"])
def test_what_is_no_internal_domain_is_refused(ask: Asked, domain: str) -> None:
    with pytest.raises(ConfigError, match=r"SPOT_OA_INTERNAL_DOMAINS: .* is no domain; write it"):
        ask({"virustotal": {"key": KEY}}, "name", "a.com", internal_domains=domain)


@pytest.mark.parametrize(
    ("kind", "sent", "secrets"),
    [
        ("address", "8.8.8.8", ["10.9.8.7", "5.5.5.5", "fe80::abcd", "::ffff:10.9.8.7"]),
        ("name", "a.com", ["db.corp.example.org", "5.5.5.5", "printer.local."]),
        (
            "uri",
            "a.com/x",
            ["http://10.9.8.7/x", "db.corp.example.org:8443/x", "http://a.com@5.5.5.5/x"],
        ),
    ],
)
def test_no_trace_of_what_is_withheld_among_what_is_sent(
    ask: Asked,
    httpserver: HTTPServer,
    write_context_in: Callable[..., None],
    kind: IndicatorType,
    sent: str,
    secrets: list[str],
) -> None:
    write_context_in(ask.home, "ipranges.csv", "5.5.5.0,5.5.5.255,ours\n")
    asked: list[str] = []

    def answer(request: Request) -> Response:
        body = request.get_data(as_text=True)
        asked.append(request.environ["RAW_URI"] + str(request.headers) + body)
        return Response("{}", 500)

    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)
    url = httpserver.url_for("").rstrip("/")
    key = {"key": KEY, "url": url}
    services: dict[str, dict[str, str]] = {
        "fb": {"app_id": "1", "app_secret": KEY, "url": url},
        "gti": {"url": url},
        **dict.fromkeys(("misp", "otx", "urlhaus", "virustotal"), key),
    }
    if kind == "address":
        services |= {"abuseipdb": key, "greynoise": key | {"bulk": "true"}}
    found = ask(services, kind, sent, *secrets, internal_domains="corp.example.org")
    assert len(asked) == len(services)
    for secret in ("10.9.8.7", "5.5.5.5", "fe80", "corp", "printer"):
        assert not any(secret in text for text in asked)
    assert set(statuses(found).values()) == {"unavailable"}
    assert len(found.tables["reputation_verdicts"]) == len(services) * (1 + len(secrets))


def test_forms_that_are_sent(ask: Asked, httpserver: HTTPServer) -> None:
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.extend(part["url"] for part in request.get_json()["q"])
        return Response(json.dumps({"a": [{"rep": 60} for _ in request.get_json()["q"]]}))

    httpserver.expect_request("/").respond_with_handler(answer)
    uris = [
        "Evil.com/A?b=c#d",
        "http://evil.com/A?b=c",
        "https://bob:pw@evil.com:8443/",
        "8.8.8.8/x",
    ]
    found = ask({"gti": {"url": httpserver.url_for("/")}}, "uri", *uris)
    assert asked == [
        "http://Evil.com/A?b=c",
        "http://evil.com/A?b=c",
        "https://evil.com:8443/",
        "http://8.8.8.8/x",
    ]
    assert set(texts(found).values()) == {"gti:High:3"}


# --- the most suspicious first, within the budget ----------------------------------------------


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
    assert "2 not asked, the day's budget of 2 calls is spent" in outcome.detail
    assert "0 calls left today" in outcome.detail


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
    assert time.monotonic() - begin < 4
    assert len(recorder.requests) == 2
    assert "more than 2 calls a minute" in details(found)[0]


# --- faults ------------------------------------------------------------------------------------


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
        (200, "[]", "malformed"),
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


# --- retries -----------------------------------------------------------------------------------


def in_seconds(seconds: int) -> str:
    return format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("retry_after", ["1", None])
def test_a_passing_fault_is_retried(
    ask: Asked, httpserver: HTTPServer, status: int, retry_after: str | None
) -> None:
    headers = {"Retry-After": retry_after} if retry_after else {}
    recorder = Recorder(lambda n: Response(json.dumps(STATS), status if n == 1 else 200, headers))
    begin = time.monotonic()
    found = ask(virustotal(httpserver, recorder), "address", "8.8.8.8", http_attempts=2)
    assert outcomes(found) == {"8.8.8.8": "answered"}
    assert time.monotonic() - begin >= (1 if retry_after else 0.4)


@pytest.mark.parametrize("retry_after", ["3600", in_seconds(3600)], ids=["seconds", "date"])
def test_a_long_retry_after_is_not_waited_for(
    ask: Asked, httpserver: HTTPServer, retry_after: str
) -> None:
    recorder = Recorder(always(429, **{"Retry-After": retry_after}))
    begin = time.monotonic()
    found = ask(virustotal(httpserver, recorder), "address", "8.8.8.8", http_attempts=5)
    assert time.monotonic() - begin < 5
    assert len(recorder.requests) == 1
    assert outcomes(found) == {"8.8.8.8": "unavailable"}


def test_who_wants_to_be_left_alone_gets_no_further_question(
    ask: Asked, httpserver: HTTPServer
) -> None:
    recorder = Recorder(always(429, **{"Retry-After": "3600"}))
    found = ask(virustotal(httpserver, recorder), "address", *PUBLIC, service_threads=1)
    assert len(recorder.requests) == 1
    assert list(outcomes(found).values()) == ["unavailable", *["not asked"] * 3]
    assert "3 not asked, localhost wants to be left alone for 3600 s" in details(found)[0]
    assert "499 calls left today" in details(found)[0]


def test_a_retry_after_holds_for_the_next_question_too(ask: Asked, httpserver: HTTPServer) -> None:
    came: list[float] = []

    def answer(number: int) -> Response:
        came.append(time.monotonic())
        return Response(json.dumps(STATS), 503 if number == 1 else 200, {"Retry-After": "1"})

    services = virustotal(httpserver, Recorder(answer))
    found = ask(services, "address", "8.8.8.8", "1.1.1.1", service_threads=1)
    assert list(outcomes(found).values()) == ["unavailable", "answered"]
    assert came[1] - came[0] >= 1


@pytest.mark.parametrize(
    "retry_after", ["soon", "-1", in_seconds(-3600)], ids=["word", "below 0", "past"]
)
def test_a_retry_after_that_says_nothing(
    ask: Asked, httpserver: HTTPServer, retry_after: str
) -> None:
    headers = {"Retry-After": retry_after}
    recorder = Recorder(lambda n: Response(json.dumps(STATS), 429 if n == 1 else 200, headers))
    found = ask(virustotal(httpserver, recorder), "address", "8.8.8.8", http_attempts=2)
    assert outcomes(found) == {"8.8.8.8": "answered"}


# --- time --------------------------------------------------------------------------------------


def test_a_slow_server_is_a_timeout(ask: Asked, httpserver: HTTPServer) -> None:
    release = threading.Event()

    def answer(_: int) -> Response:
        release.wait(10)
        return Response(json.dumps(STATS))

    services = virustotal(httpserver, Recorder(answer))
    begin = time.monotonic()
    found = ask(services, "address", "8.8.8.8", http_timeout=0.5)
    assert time.monotonic() - begin < 5
    release.set()
    assert outcomes(found) == {"8.8.8.8": "timeout"}
    assert statuses(found) == {"virustotal": "timeout"}


@pytest.fixture
def dribbling() -> Iterator[str]:
    """A server that sends a byte now and then, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                    with client:
                        client.recv(65536)
                        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
                        while True:
                            client.sendall(b" ")
                            time.sleep(0.2)
                except OSError:
                    if server.fileno() < 0:
                        return

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_dribbling_server_does_not_hold_the_day(ask: Asked, dribbling: str) -> None:
    services = {"virustotal": {"key": KEY, "url": dribbling}}
    begin = time.monotonic()
    found = ask(services, "address", "8.8.8.8", service_seconds=1)
    assert time.monotonic() - begin < 5
    assert outcomes(found) == {"8.8.8.8": "timeout"}


def test_what_is_left_when_the_time_is_over_is_not_asked(
    ask: Asked, httpserver: HTTPServer
) -> None:
    def answer(_: int) -> Response:
        time.sleep(0.4)
        return Response(json.dumps(STATS))

    services = virustotal(httpserver, Recorder(answer))
    addresses = [f"8.8.8.{n}" for n in range(20)]
    found = ask(services, "address", *addresses, service_seconds=1, service_threads=1)
    said = list(outcomes(found).values())
    assert said[0] == "answered"
    assert said[-1] == "not asked"
    assert "its time was over" in details(found)[0] or "time for this service" in details(found)[0]


# --- several services --------------------------------------------------------------------------


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


# --- secrets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 401, 500])
def test_keys_leave_no_trace(
    ask: Asked,
    httpserver: HTTPServer,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    status: int,
) -> None:
    caplog.set_level("DEBUG")
    recorder = Recorder(always(status, json.dumps(STATS)))
    proxy = "http://proxy:" + KEY + "@127.0.0.1:9"
    services = virustotal(httpserver, recorder) | {
        "fb": {"app_id": "1", "app_secret": KEY, "url": "http://127.0.0.1:9"},
        "feeds": {"list": {"url": f"http://127.0.0.1:9/{KEY}"}},
    }
    found = ask(services, "address", "8.8.8.8")
    behind_proxy = ask(services, "address", "8.8.4.4", proxy=proxy)
    assert set(statuses(behind_proxy).values()) == {"unavailable"}
    settings = ask.settings(services, proxy=proxy)
    printed = capfd.readouterr()
    everything = [
        caplog.text,
        printed.out,
        printed.err,
        repr(settings),
        str(settings.model_dump(mode="json")),
        *details(found),
        *details(behind_proxy),
    ]
    assert not any(KEY in text for text in everything)
    files = [path for path in Path(ask.home).rglob("*") if path.is_file()]
    assert files
    assert not any(KEY.encode() in path.read_bytes() for path in files)


def test_redirects_do_not_carry_keys_away(ask: Asked, httpserver: HTTPServer) -> None:
    with HTTPServer() as elsewhere:
        elsewhere.expect_request(re.compile(".*")).respond_with_json(STATS)
        recorder = Recorder(always(307, Location=elsewhere.url_for("/x")))
        found = ask(virustotal(httpserver, recorder), "address", "8.8.8.8")
        assert elsewhere.log == []
    assert outcomes(found) == {"8.8.8.8": "unavailable"}


def test_a_body_with_a_key_is_not_sent_elsewhere(ask: Asked, httpserver: HTTPServer) -> None:
    with HTTPServer() as elsewhere:
        elsewhere.expect_request(re.compile(".*")).respond_with_json([])
        recorder = Recorder(always(307, Location=elsewhere.url_for("/x")))
        httpserver.expect_request(re.compile(".*")).respond_with_handler(recorder)
        options = {"app_id": "1", "app_secret": KEY, "url": httpserver.url_for("/")}
        found = ask({"fb": options}, "address", "8.8.8.8")
        assert elsewhere.log == []
    assert recorder.requests
    assert outcomes(found) == {"8.8.8.8": "unavailable"}


def test_the_environment_does_not_set_the_proxy(
    ask: Asked, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    found = ask(virustotal(httpserver, Recorder()), "address", "8.8.8.8")
    assert outcomes(found) == {"8.8.8.8": "answered"}


def test_requests_go_through_the_proxy(ask: Asked, httpserver: HTTPServer) -> None:
    recorder = Recorder()
    virustotal(httpserver, recorder)
    services = {"virustotal": {"key": KEY, "url": "http://api.invalid"}}
    found = ask(services, "address", "8.8.8.8", proxy=httpserver.url_for("").rstrip("/"))
    assert outcomes(found) == {"8.8.8.8": "answered"}
    assert "Host: api.invalid" in recorder.seen[0]
    assert "User-Agent: spot-oa/" in recorder.seen[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost that nobody trusts."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("no openssl")
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run([*made, "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    return path


@pytest.mark.parametrize(("trusted", "outcome"), [(True, "answered"), (False, "unavailable")])
def test_a_certificate_of_ones_own(
    ask: Asked, certificate: Path, trusted: bool, outcome: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certificate}.crt", certificate)
    with HTTPServer(ssl_context=context) as server:
        services = virustotal(server, Recorder())
        bundle = {"ca_bundle": f"{certificate}.crt"} if trusted else {}
        found = ask(services, "address", "8.8.8.8", **bundle)
    assert outcomes(found) == {"8.8.8.8": outcome}
    if not trusted:
        assert "its certificate is not trusted" in details(found)[0]


# --- the cache ---------------------------------------------------------------------------------


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
