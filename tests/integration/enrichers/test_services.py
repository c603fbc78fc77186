"""Each service against a server that speaks its protocol."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.integration.enrichers.conftest import KEY, Asked, outcomes, statuses, texts, verdicts


def as_json(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content), status, content_type="application/json")


# --- gti ---------------------------------------------------------------------------------------


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


# --- fb ----------------------------------------------------------------------------------------


class Graph:
    """The part of the Graph API that answers batches."""

    def __init__(self, descriptors: dict[str, list[dict[str, Any]]], *, page: int = 100) -> None:
        self.descriptors = descriptors
        self.page = page
        self.batches: list[list[str]] = []

    def __call__(self, request: Request) -> Response:
        if request.form["access_token"] != f"77|{KEY}":
            error = {"error": {"type": "OAuthException", "code": 190}}
            return as_json(error, 400)
        urls = [part["relative_url"] for part in json.loads(request.form["batch"])]
        self.batches.append(urls)
        return as_json([self._one(url) for url in urls])

    def _one(self, url: str) -> dict[str, Any]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert query["strict_text"] == "true"
        found = self.descriptors.get(f"{query['type']} {query['text']}", [])
        begin = int(query.get("after", 0))
        end = begin + self.page
        body: dict[str, Any] = {"data": found[begin:end]}
        if end < len(found):
            elsewhere = f"https://elsewhere.com/?access_token={KEY}&after={end}"
            body["paging"] = {"next": elsewhere, "cursors": {"after": str(end)}}
        return {"code": 200, "body": json.dumps(body)}


def fb(httpserver: HTTPServer, graph: Graph, **options: str) -> dict[str, dict[str, str]]:
    httpserver.expect_request("/v26.0/", "POST").respond_with_handler(graph)
    url = httpserver.url_for("").rstrip("/")
    return {"fb": {"app_id": "77", "app_secret": KEY, "url": url} | options}


def test_fb_takes_the_worst_status_of_all_pages(ask: Asked, httpserver: HTTPServer) -> None:
    statuses_ = ["UNKNOWN", "NON_MALICIOUS", "SUSPICIOUS", "MALICIOUS"]
    graph = Graph(
        {
            "IP_ADDRESS 8.8.8.8": [
                {"status": status, "confidence": 50, "severity": "SEVERE"} for status in statuses_
            ],
            "IP_ADDRESS 1.1.1.1": [{"status": "NON_MALICIOUS"}],
        },
        page=1,
    )
    found = ask(fb(httpserver, graph), "address", "8.8.8.8", "1.1.1.1", "9.9.9.9")
    assert texts(found) == {
        "8.8.8.8": "fb:MALICIOUS:3",
        "1.1.1.1": "fb:NON_MALICIOUS:0",
        "9.9.9.9": "",
    }
    assert outcomes(found)["9.9.9.9"] == "not found"
    assert [len(batch) for batch in graph.batches] == [3, 1, 1, 1]


@pytest.mark.parametrize(("kind", "form"), [("name", "DOMAIN a.com"), ("uri", "URI http://a.com/")])
def test_fb_types(ask: Asked, httpserver: HTTPServer, kind: Any, form: str) -> None:
    graph = Graph({form: [{"status": "SUSPICIOUS"}]})
    indicator = form.partition(" ")[2]
    found = ask(fb(httpserver, graph), kind, indicator)
    assert texts(found) == {indicator: "fb:SUSPICIOUS:2"}


def test_fb_batches_of_fifty(ask: Asked, httpserver: HTTPServer) -> None:
    graph = Graph({})
    addresses = [f"8.8.{n // 200}.{n % 200}" for n in range(120)]
    found = ask(fb(httpserver, graph), "address", *addresses, service_threads=1)
    assert [len(batch) for batch in graph.batches] == [50, 50, 20]
    assert set(outcomes(found).values()) == {"not found"}


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, 190, "unauthorised"),
        (401, 190, "unauthorised"),
        (403, 200, "unauthorised"),
        (400, 4, "unavailable"),
        (403, 613, "unavailable"),
        (400, 100, "malformed"),
    ],
)
@pytest.mark.parametrize("part", [False, True])
def test_fb_tells_limits_from_bad_tokens(
    ask: Asked, httpserver: HTTPServer, status: int, code: int, outcome: str, part: bool
) -> None:
    error = {"error": {"type": "OAuthException", "code": code, "message": KEY}}
    whole = [{"code": status, "body": json.dumps(error)}]
    answer = as_json(whole) if part else as_json(error, status)
    httpserver.expect_request("/v26.0/", "POST").respond_with_response(answer)
    options = {"app_id": "77", "app_secret": KEY, "url": httpserver.url_for("").rstrip("/")}
    found = ask({"fb": options}, "address", "8.8.8.8")
    assert outcomes(found) == {"8.8.8.8": outcome}
    assert KEY not in found.outcomes[0].detail


def test_fb_keeps_what_was_answered_beside_what_was_not(ask: Asked, httpserver: HTTPServer) -> None:
    error = {"code": 400, "body": json.dumps({"error": {"code": 100}})}
    odd = {"code": 200, "body": json.dumps({"data": [{"status": "BRAND_NEW"}]})}
    good = {"code": 200, "body": json.dumps({"data": [{"status": "MALICIOUS"}]})}
    httpserver.expect_request("/v26.0/", "POST").respond_with_json([good, error, odd, None])
    options = {"app_id": "77", "app_secret": KEY, "url": httpserver.url_for("").rstrip("/")}
    found = ask({"fb": options}, "address", "8.8.8.8", "1.1.1.1", "9.9.9.9", "8.8.4.4")
    assert outcomes(found) == {
        "8.8.8.8": "answered",
        "1.1.1.1": "malformed",
        "9.9.9.9": "answered",
        "8.8.4.4": "malformed",
    }
    assert texts(found)["9.9.9.9"] == "fb:BRAND_NEW:-1"


def test_fb_with_a_bad_token(ask: Asked, httpserver: HTTPServer) -> None:
    found = ask(fb(httpserver, Graph({}), app_secret="other"), "address", "8.8.8.8")
    assert outcomes(found) == {"8.8.8.8": "unauthorised"}


# --- abuseipdb ---------------------------------------------------------------------------------


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


# --- virustotal --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("malicious", "suspicious", "text"),
    [
        (5, 0, "virustotal:5 of 10:3"),
        (2, 0, "virustotal:2 of 10:2"),
        (1, 0, "virustotal:1 of 10:1"),
        (0, 1, "virustotal:0 of 10:1"),
        (0, 0, "virustotal:0 of 10:0"),
        (None, 0, ""),
    ],
)
def test_virustotal(
    ask: Asked, httpserver: HTTPServer, malicious: int | None, suspicious: int, text: str
) -> None:
    # None: nobody has looked at it.
    harmless = 0 if malicious is None else 10 - malicious - suspicious
    stats = {"malicious": malicious or 0, "suspicious": suspicious, "harmless": harmless}
    httpserver.expect_request("/ip_addresses/8.8.8.8", headers={"x-apikey": KEY}).respond_with_json(
        {"data": {"attributes": {"last_analysis_stats": stats}}}
    )
    options = {"key": KEY, "url": httpserver.url_for("").rstrip("/")}
    assert texts(ask({"virustotal": options}, "address", "8.8.8.8")) == {"8.8.8.8": text}


@pytest.mark.parametrize(
    ("kind", "indicator", "path"),
    [
        ("name", "WWW.Example.com.", "/domains/www.example.com"),
        ("address", "2001:4860:4860:0::8888", "/ip_addresses/2001%3A4860%3A4860%3A%3A8888"),
        ("uri", "evil.com/a?b", "/urls/" + "aHR0cDovL2V2aWwuY29tL2E_Yg"),
    ],
)
def test_virustotal_paths(
    ask: Asked, httpserver: HTTPServer, kind: Any, indicator: str, path: str
) -> None:
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(request.environ["RAW_URI"])
        return as_json({"error": {"code": "NotFoundError"}}, 404)

    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)
    options = {"key": KEY, "url": httpserver.url_for("").rstrip("/")}
    found = ask({"virustotal": options}, kind, indicator)
    assert outcomes(found) == {indicator: "not found"}
    assert [url.removeprefix(options["url"]) for url in asked] == [path]
    if kind == "uri":
        encoded = path.removeprefix("/urls/")
        assert base64.urlsafe_b64decode(encoded + "==") == b"http://evil.com/a?b"


# --- greynoise ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ({"noise": True, "riot": False, "classification": "malicious"}, 200, "malicious:3"),
        ({"noise": True, "riot": False, "classification": "suspicious"}, 200, "suspicious:2"),
        ({"noise": True, "riot": False, "classification": "unknown"}, 200, "unknown:-1"),
        ({"noise": False, "riot": True, "classification": "benign"}, 200, "benign:0"),
        ({"noise": True, "riot": False, "classification": "brand new"}, 200, "brand new:-1"),
        ({"noise": False, "riot": False, "message": "not observed"}, 404, ""),
    ],
)
def test_greynoise_community(
    ask: Asked, httpserver: HTTPServer, answer: dict[str, Any], status: int, text: str
) -> None:
    httpserver.expect_request("/community/8.8.8.8").respond_with_json(answer, status)
    options = {"url": httpserver.url_for("").rstrip("/")}
    found = ask({"greynoise": options}, "address", "8.8.8.8")
    assert texts(found) == {"8.8.8.8": f"greynoise:{text}" if text else ""}


def test_greynoise_in_bulk(ask: Asked, httpserver: HTTPServer) -> None:
    def record(ip: str, scanner: dict[str, Any], business: dict[str, Any]) -> dict[str, Any]:
        return {
            "ip": ip,
            "internet_scanner_intelligence": {"found": bool(scanner)} | scanner,
            "business_service_intelligence": {"found": bool(business)} | business,
        }

    httpserver.expect_request(
        "/ip",
        "POST",
        headers={"key": KEY},
        json={"ips": ["8.8.8.8", "1.1.1.1", "9.9.9.9", "8.8.4.4"]},
    ).respond_with_json(
        {
            "data": [
                record("8.8.8.8", {"classification": "malicious", "actor": "Mirai"}, {}),
                record("1.1.1.1", {}, {"trust_level": "1", "name": "Cloudflare"}),
                record("9.9.9.9", {}, {"trust_level": "2", "name": "Quad9"}),
            ]
        }
    )
    options = {"key": KEY, "bulk": "true", "url": httpserver.url_for("").rstrip("/")}
    found = ask({"greynoise": options}, "address", "8.8.8.8", "1.1.1.1", "9.9.9.9", "8.8.4.4")
    assert verdicts(found, "outcome", "severity", "label", "category") == {
        "8.8.8.8": ("answered", 3, "malicious", "Mirai"),
        "1.1.1.1": ("answered", 0, "business service", "Cloudflare"),
        "9.9.9.9": ("answered", 1, "business service", "Quad9"),
        "8.8.4.4": ("not found", None, None, None),
    }


@pytest.mark.parametrize("bulk", ["true", "false"])
def test_greynoise_is_not_asked_of_ipv6(ask: Asked, httpserver: HTTPServer, bulk: str) -> None:
    options = {"key": KEY, "bulk": bulk, "url": httpserver.url_for("").rstrip("/")}
    found = ask({"greynoise": options}, "address", "2001:4860:4860::8888")
    assert outcomes(found) == {"2001:4860:4860::8888": "not found"}
    assert httpserver.log == []


# --- otx ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "indicator", "path"),
    [
        ("address", "8.8.8.8", "/indicators/IPv4/8.8.8.8/general"),
        ("address", "2001:4860::1", "/indicators/IPv6/2001:4860::1/general"),
        ("name", "a.com", "/indicators/domain/a.com/general"),
        ("name", "www.a.com", "/indicators/hostname/www.a.com/general"),
        ("uri", "http://a.com/x?y", "/indicators/url/http://a.com/x?y/general"),
    ],
)
def test_otx(ask: Asked, httpserver: HTTPServer, kind: Any, indicator: str, path: str) -> None:
    httpserver.expect_request(path, headers={"X-OTX-API-KEY": KEY}).respond_with_json(
        {"validation": [], "pulse_info": {"count": 3, "pulses": [{"name": "Botnet"}]}}
    )
    options = {"key": KEY, "url": httpserver.url_for("").rstrip("/")}
    found = ask({"otx": options}, kind, indicator)
    assert verdicts(found, "severity", "label", "category") == {
        indicator: (2, "3 pulses", "Botnet")
    }


@pytest.mark.parametrize(
    ("validation", "count", "text"), [([{"source": "alexa"}], 9, "otx:Whitelisted:0"), ([], 0, "")]
)
def test_otx_lists_of_the_harmless(
    ask: Asked, httpserver: HTTPServer, validation: list[Any], count: int, text: str
) -> None:
    httpserver.expect_request("/indicators/domain/a.com/general").respond_with_json(
        {"validation": validation, "pulse_info": {"count": count, "pulses": []}}
    )
    options = {"key": KEY, "url": httpserver.url_for("").rstrip("/")}
    assert texts(ask({"otx": options}, "name", "a.com")) == {"a.com": text}


def test_otx_pulses_page_by_page(ask: Asked, httpserver: HTTPServer) -> None:
    pages = {
        "1": [("IPv4", "8.8.8.8"), ("FileHash-MD5", "0" * 32)],
        "2": [("domain", "evil.com"), ("URL", "http://bad.com/x")],
    }

    def answer(request: Request) -> Response:
        page = request.args["page"]
        indicators = [{"type": kind, "indicator": text} for kind, text in pages[page]]
        elsewhere = "https://elsewhere.com/pulses?page=2&limit=50"
        return as_json(
            {
                "results": [{"name": f"Pulse {page}", "indicators": indicators}],
                "next": elsewhere if page == "1" else None,
            }
        )

    httpserver.expect_request(
        "/pulses/subscribed", headers={"X-OTX-API-KEY": KEY}
    ).respond_with_handler(answer)
    options = {
        "key": KEY,
        "url": httpserver.url_for("").rstrip("/"),
        "check": "false",
        "pulses": "true",
    }
    found = ask({"otx": options}, "uri", "8.8.8.8/x", "www.evil.com/y", "bad.com/x", "bad.com/z")
    assert texts(found) == {
        "8.8.8.8/x": "otx_pulses:Pulse:2",
        "www.evil.com/y": "otx_pulses:Pulse:2",
        "bad.com/x": "otx_pulses:Pulse:2",
        "bad.com/z": "",
    }
    assert found.outcomes[0].detail.startswith("entries: 3, written ")


# --- abuse.ch ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "indicator", "form", "answer", "text"),
    [
        (
            "uri",
            "evil.com/x",
            {"url": "http://evil.com/x"},
            {"query_status": "ok", "url_status": "online", "threat": "malware_download"},
            "urlhaus:online:3",
        ),
        (
            "name",
            "evil.com",
            {"host": "evil.com"},
            {"query_status": "ok", "urls": [{"url_status": "offline", "threat": None}]},
            "urlhaus:offline:2",
        ),
        ("address", "8.8.8.8", {"host": "8.8.8.8"}, {"query_status": "no_results"}, ""),
    ],
)
def test_urlhaus(
    ask: Asked,
    httpserver: HTTPServer,
    kind: Any,
    indicator: str,
    form: dict[str, str],
    answer: dict[str, Any],
    text: str,
) -> None:
    sent: list[dict[str, str]] = []

    def handle(request: Request) -> Response:
        sent.append(request.form.to_dict())
        return as_json(answer) if request.headers.get("Auth-Key") == KEY else as_json({}, 401)

    httpserver.expect_request(f"/v1/{next(iter(form))}/", "POST").respond_with_handler(handle)
    options = {"key": KEY, "url": httpserver.url_for("/v1")}
    assert texts(ask({"urlhaus": options}, kind, indicator)) == {indicator: text}
    assert sent == [form]
    refused = ask({"urlhaus": options | {"key": "old"}}, kind, indicator, fresh=True)
    assert outcomes(refused) == {indicator: "unauthorised"}
    assert statuses(refused) == {"urlhaus": "unauthorised"}


def test_threatfox(ask: Asked, httpserver: HTTPServer) -> None:
    def ioc(kind: str, text: str, confidence: int) -> dict[str, Any]:
        return {
            "ioc": text,
            "ioc_type": kind,
            "confidence_level": confidence,
            "malware_printable": "Dridex",
            "threat_type": "botnet_cc",
        }

    httpserver.expect_request(
        "/api/v1/", "POST", headers={"Auth-Key": KEY}, json={"query": "get_iocs", "days": 3}
    ).respond_with_json(
        {
            "query_status": "ok",
            "data": [
                ioc("ip:port", "8.8.8.8:443", 100),
                ioc("ip:port", "[2001:db8::1]:80", 50),
                ioc("domain", "evil.com", 25),
                ioc("md5_hash", "0" * 32, 100),
            ],
        }
    )
    options = {"key": KEY, "url": httpserver.url_for("/api/v1/"), "days": "3"}
    found = ask({"threatfox": options}, "uri", "8.8.8.8/", "[2001:db8::1]/x", "a.evil.com")
    assert texts(found) == {
        "8.8.8.8/": "threatfox:Dridex:3",
        "[2001:db8::1]/x": "threatfox:Dridex:2",
        "a.evil.com": "threatfox:Dridex:1",
    }


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ({"query_status": "unknown_auth_key"}, "unauthorised", "does not know the key"),
        ({"query_status": "illegal_days"}, "malformed", "did not understand"),
        ({"query_status": "no_result", "data": "Your search did"}, "malformed", "has no entry"),
    ],
)
def test_threatfox_without_a_list(
    ask: Asked, httpserver: HTTPServer, answer: dict[str, str], status: str, reason: str
) -> None:
    httpserver.expect_request("/api/v1/").respond_with_json(answer)
    options = {"key": KEY, "url": httpserver.url_for("/api/v1/")}
    found = ask({"threatfox": options}, "address", "8.8.8.8")
    assert statuses(found) == {"threatfox": status}
    assert reason in found.outcomes[0].detail


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("unknown_auth_key", "unauthorised"),
        ("http_post_expected", "malformed"),
        ("invalid_url", "not found"),
    ],
)
def test_urlhaus_says_in_its_body_what_is_wrong(
    ask: Asked, httpserver: HTTPServer, status: str, outcome: str
) -> None:
    httpserver.expect_request("/url/", "POST").respond_with_json({"query_status": status})
    options = {"key": KEY, "url": httpserver.url_for("").rstrip("/")}
    assert outcomes(ask({"urlhaus": options}, "uri", "a.com/")) == {"a.com/": outcome}


def test_threatfox_without_a_key(ask: Asked, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/").respond_with_json({"error": "unauthorized"}, 401)
    options = {"key": KEY, "url": httpserver.url_for("/api/v1/")}
    found = ask({"threatfox": options}, "address", "8.8.8.8")
    assert outcomes(found) == {"8.8.8.8": "unauthorised"}
    assert statuses(found) == {"threatfox": "unauthorised"}


# --- spamhaus ----------------------------------------------------------------------------------


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


# --- misp --------------------------------------------------------------------------------------


def test_misp_page_by_page(ask: Asked, httpserver: HTTPServer) -> None:
    def attribute(value: str, level: str, info: str) -> dict[str, Any]:
        event = {"threat_level_id": level, "info": info}
        return {"value": value, "category": "Network activity", "Event": event}

    stored = [
        attribute("8.8.8.8", "3", "low"),
        attribute("8.8.8.8|443", "1", "high"),
        attribute("1.1.1.1", "4", "undefined"),
    ]
    asked: list[dict[str, Any]] = []

    def answer(request: Request) -> Response:
        question = request.get_json()
        asked.append(question)
        begin = (question["page"] - 1) * question["limit"]
        page = stored[begin : begin + question["limit"]]
        return as_json({"response": {"Attribute": page}})

    httpserver.expect_request(
        "/attributes/restSearch",
        "POST",
        headers={"Authorization": KEY, "Accept": "application/json"},
    ).respond_with_handler(answer)
    options = {"key": KEY, "url": httpserver.url_for("/"), "page_size": "2"}
    found = ask({"misp": options}, "address", "8.8.8.8", "1.1.1.1", "9.9.9.9")
    assert verdicts(found, "outcome", "severity", "category", "matched_entry") == {
        "8.8.8.8": ("answered", 3, "high", "8.8.8.8|443"),
        "1.1.1.1": ("answered", -1, "undefined", "1.1.1.1"),
        "9.9.9.9": ("not found", None, None, None),
    }
    assert [question["page"] for question in asked] == [1, 2]
    assert asked[0]["enforceWarninglist"] == 1
    assert asked[0]["value"] == ["8.8.8.8", "1.1.1.1", "9.9.9.9"]


@pytest.mark.parametrize("stored", ["https://a.com/x?y", "http://a.com/x?y", "a.com/x?y"])
def test_misp_knows_a_uri_however_it_is_written(
    ask: Asked, httpserver: HTTPServer, stored: str
) -> None:
    def answer(request: Request) -> Response:
        event = {"threat_level_id": "1", "info": "x"}
        found = [{"value": stored, "category": "Network activity", "Event": event}]
        asked = request.get_json()["value"]
        return as_json({"response": {"Attribute": found if stored in asked else []}})

    httpserver.expect_request("/attributes/restSearch", "POST").respond_with_handler(answer)
    services = {"misp": {"key": KEY, "url": httpserver.url_for("/")}}
    assert texts(ask(services, "uri", "a.com/x?y")) == {"a.com/x?y": "misp:Network activity:3"}


# --- what every service has to stand -----------------------------------------------------------

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
