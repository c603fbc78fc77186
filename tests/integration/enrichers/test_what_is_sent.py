"""What may leave the house, and in which form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from spot_oa.errors import ConfigError
from spot_oa.pipelines import IndicatorType
from tests.support.lookups import column
from tests.support.recorder import Recorder, virustotal
from tests.support.reputation import (
    KEY,
    Asked,
    details,
    outcomes,
    statuses,
    texts,
)

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
    assert f"{len(WITHHELD[kind])} not sent, not public" in details(found)[0]


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
    with pytest.raises(
        ConfigError, match=r"SPOT_OA_INTERNAL_DOMAINS: .* is not a domain; write it"
    ):
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
