"""McAfee/Trellix GTI, by REST and by the program."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.support.reputation import (
    KEY,
    Asked,
    as_json,
    outcomes,
    statuses,
    texts,
    verdicts,
)


@pytest.mark.parametrize(
    ("reputation", "text"),
    [
        (-10, "gti:Minimal:1"),
        (14, "gti:Minimal:1"),
        (15, "gti:Unverified:-1"),
        (29, "gti:Unverified:-1"),
        (30, "gti:Medium:2"),
        (49, "gti:Medium:2"),
        (50, "gti:High:3"),
        (127, "gti:High:3"),
    ],
)
def test_gti_bands(ask: Asked, httpserver: HTTPServer, reputation: int, text: str) -> None:
    httpserver.expect_request(
        "/gti",
        "POST",
        json={"ci": {"cliid": "x"}, "q": [{"op": "ip", "ip": "8.8.8.8"}]},
    ).respond_with_json({"a": [{"rep": reputation}]})
    options = {"url": httpserver.url_for("/gti"), "ci": '{"cliid": "x"}'}
    assert texts(ask({"gti": options}, "address", "8.8.8.8")) == {"8.8.8.8": text}


def test_gti_asks_in_batches_and_names_categories(ask: Asked, httpserver: HTTPServer) -> None:
    ask.home.mkdir()
    categories = ask.home / "categories.csv"
    categories.write_text("code,name,group\n101,Phishing,Risk\n102,Spam URLs,Mail\nbroken\n")
    asked: list[Any] = []

    def answer(request: Request) -> Response:
        questions = request.get_json()["q"]
        asked.append(questions)
        return as_json({"a": [{"rep": 60, "cat": [101, 102, 7]} for _ in questions]})

    httpserver.expect_request("/gti").respond_with_handler(answer)
    options = {
        "url": httpserver.url_for("/gti"),
        "batch_size": "2",
        "categories": str(categories),
    }
    found = ask({"gti": options}, "name", "a.com", "b.com", "c.com", service_threads=1)
    assert asked == [
        [{"op": "url", "url": "a.com"}, {"op": "url", "url": "b.com"}],
        [{"op": "url", "url": "c.com"}],
    ]
    assert verdicts(found, "severity", "label", "confidence", "category")["a.com"] == (
        3,
        "High",
        60.0,
        "Phishing|Risk, Spam URLs|Mail, 7",
    )


def test_gti_without_an_answer_is_no_verdict(ask: Asked, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/gti").respond_with_json(
        {"a": [{"rep": 60, "aflag": 1}, {"cat": [1]}, {"rep": 60}]}
    )
    options = {"url": httpserver.url_for("/gti")}
    found = ask({"gti": options}, "address", "1.1.1.1", "8.8.8.8", "9.9.9.9", "8.8.4.4")
    assert outcomes(found) == {
        "1.1.1.1": "not found",
        "8.8.8.8": "not found",
        "9.9.9.9": "answered",
        "8.8.4.4": "malformed",
    }
    assert statuses(found) == {"gti": "malformed"}


PROGRAM = """#!/usr/bin/env python3
import json, sys
arguments = sys.argv[1:]
source = open(arguments[arguments.index("-f") + 1]) if "-f" in arguments else sys.stdin
request = json.load(source)
json.dump(arguments, open({log!r}, "w"))
print(json.dumps({{"a": [{{"rep": 99}} for _ in request["q"]]}}))
"""


@pytest.mark.parametrize("in_file", [False, True])
def test_gti_program_gets_arguments_and_no_shell(ask: Asked, in_file: bool) -> None:
    ask.home.mkdir()
    program, log = ask.home / "rest client", ask.home / "log.json"
    program.write_text(PROGRAM.format(log=str(log)))
    program.chmod(0o755)
    command = f"'{program}' -s {{server}} -p {{password}}" + (" -f {file}" if in_file else "")
    options = {"command": command, "server": "gti.com; touch /tmp/x", "password": KEY}
    uri = "http://evil.com/$(touch pwned)'\";|&`id`"
    found = ask({"gti": options}, "uri", uri)
    assert texts(found) == {uri: "gti:High:3"}
    arguments = json.loads(log.read_text())
    assert arguments[:4] == ["-s", "gti.com; touch /tmp/x", "-p", KEY]
    if in_file:
        assert not (ask.home / arguments[5]).exists()
    assert "evil.com" not in " ".join(arguments)


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("exit 3", "unavailable"),
        ("echo no json", "malformed"),
        ("sleep 30", "timeout"),
        (None, "unavailable"),
    ],
)
def test_gti_program_that_fails(ask: Asked, script: str | None, status: str) -> None:
    ask.home.mkdir()
    program = ask.home / "restclient"
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    found = ask({"gti": {"command": f"{program}"}}, "address", "8.8.8.8", http_timeout=1)
    assert outcomes(found) == {"8.8.8.8": status}
