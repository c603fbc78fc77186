"""How long a service is waited for, and how often it is asked again."""

from __future__ import annotations

import datetime as dt
import json
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import format_datetime

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from tests.support.recorder import STATS, Recorder, always, virustotal
from tests.support.reputation import (
    KEY,
    PUBLIC,
    Asked,
    details,
    outcomes,
    statuses,
)

# --- retries -------------------------------------------------------------------------------------


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
    assert time.monotonic() - begin < 20
    assert len(recorder.requests) == 1
    assert outcomes(found) == {"8.8.8.8": "unavailable"}


def test_who_wants_to_be_left_alone_gets_no_further_question(
    ask: Asked, httpserver: HTTPServer
) -> None:
    recorder = Recorder(always(429, **{"Retry-After": "3600"}))
    found = ask(virustotal(httpserver, recorder), "address", *PUBLIC, service_threads=1)
    assert len(recorder.requests) == 1
    assert list(outcomes(found).values()) == ["unavailable", *["not asked"] * 3]
    assert "3 not asked, localhost accepts no requests for 3600 s" in details(found)[0]
    assert "499 of 500 calls left today" in details(found)[0]


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


# --- time ----------------------------------------------------------------------------------------


def test_a_slow_server_is_a_timeout(ask: Asked, httpserver: HTTPServer) -> None:
    release = threading.Event()

    def answer(_: int) -> Response:
        release.wait(60)
        return Response(json.dumps(STATS))

    services = virustotal(httpserver, Recorder(answer))
    begin = time.monotonic()
    found = ask(services, "address", "8.8.8.8", http_timeout=0.5)
    assert time.monotonic() - begin < 20
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
    assert time.monotonic() - begin < 20
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
    assert (
        "time limit was reached" in details(found)[0]
        or "time for this service" in details(found)[0]
    )
