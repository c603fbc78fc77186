"""Lists: when they are fetched, what a failure leaves, and every form that one may have."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.support.reputation import (
    KEY,
    Asked,
    details,
    outcomes,
    statuses,
    texts,
    verdicts,
)


class Source:
    """A server of one list, which counts its downloads."""

    def __init__(self, content: str, status: int = 200) -> None:
        self.content = content
        self.status = status
        self.headers: dict[str, str] = {}
        self.downloads = 0

    def __call__(self, request: Request) -> Response:
        self.downloads += 1
        response = Response(self.content, self.status)
        response.headers.update(self.headers)
        return response


@pytest.fixture
def source(httpserver: HTTPServer) -> Source:
    source = Source("8.8.8.8\n")
    httpserver.expect_request("/list").respond_with_handler(source)
    return source


@pytest.fixture
def listed(httpserver: HTTPServer) -> dict[str, dict[str, dict[str, str]]]:
    return {"feeds": {"mine": {"url": httpserver.url_for("/list")}}}


def grow_older(home: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(home / "cache" / "feeds" / "mine", (then, then))


def test_a_copy_answers_until_it_is_due(
    ask: Asked, source: Source, listed: dict[str, dict[str, dict[str, str]]]
) -> None:
    for hours, downloads in ((0, 1), (0, 1), (23, 1), (25, 2)):
        if hours:
            grow_older(ask.home, hours)
        assert texts(ask(listed, "address", "8.8.8.8")) == {"8.8.8.8": "mine:Listed:2"}
        assert source.downloads == downloads


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        ("8.8.4.4\n", 500, "HTTP 500"),
        ("8.8.4.4\n", 404, "HTTP 404"),
        ("", 200, "no entry"),
        ("\n\n# nothing\n", 200, "no entry"),
    ],
)
def test_a_stale_copy_is_used_with_a_warning(
    ask: Asked,
    source: Source,
    listed: dict[str, dict[str, dict[str, str]]],
    content: str,
    status: int,
    reason: str,
) -> None:
    ask(listed, "address", "8.8.8.8")
    grow_older(ask.home, 100)
    source.content, source.status = content, status
    found = ask(listed, "address", "8.8.8.8")
    assert texts(found) == {"8.8.8.8": "mine:Listed:2"}
    assert statuses(found) == {"mine": "stale"}
    assert re.search(f"written .*, 4 days old, not renewed .*{reason}", details(found)[0])
    assert [path.name for path in (ask.home / "cache" / "feeds").iterdir()] == ["mine"]


def test_a_copy_that_is_too_old_counts_for_nothing(
    ask: Asked, source: Source, listed: dict[str, dict[str, dict[str, str]]]
) -> None:
    ask(listed, "address", "8.8.8.8")
    grow_older(ask.home, 31 * 24)
    source.status = 500
    found = ask(listed, "address", "8.8.8.8")
    assert outcomes(found) == {"8.8.8.8": "answered"}
    assert texts(found) == {"8.8.8.8": ""}


@pytest.mark.parametrize(
    ("status", "outcome"), [(500, "unavailable"), (401, "unauthorised"), (404, "malformed")]
)
def test_without_a_copy_nothing_is_said(
    ask: Asked,
    source: Source,
    listed: dict[str, dict[str, dict[str, str]]],
    status: int,
    outcome: str,
) -> None:
    source.status = status
    found = ask(listed, "address", "8.8.8.8", "10.0.0.1")
    assert outcomes(found) == {"8.8.8.8": outcome, "10.0.0.1": outcome}
    assert statuses(found) == {"mine": outcome}


def test_what_cannot_be_read_any_more_is_fetched_anew(
    ask: Asked, source: Source, listed: dict[str, dict[str, dict[str, str]]]
) -> None:
    ask(listed, "address", "8.8.8.8")
    copy = ask.home / "cache" / "feeds" / "mine"
    copy.unlink()
    assert texts(ask(listed, "address", "8.8.8.8")) == {"8.8.8.8": "mine:Listed:2"}
    assert source.downloads == 2


def test_lists_answer_for_private_addresses_too(
    ask: Asked, source: Source, listed: dict[str, dict[str, dict[str, str]]]
) -> None:
    source.content = "10.0.0.0/8\n"
    assert texts(ask(listed, "address", "10.1.2.3")) == {"10.1.2.3": "mine:Listed:2"}


TEXT = """# a comment
8.8.8.8            # why
198.51.100.0/24 ; SBL1
evil.com
http://bad.com/path

not,an,indicator is none
"""
CSV = """; written by hand
"ip","threat level","kind","why"
"8.8.8.8","high","c2","Zeus, again"
"198.51.100.0/24","1","scan","x"
"evil.com","","",""
"bad.com/path","odd","",""
"""
LINES = "\n".join(
    json.dumps(record)
    for record in (
        {"ioc": "8.8.8.8", "level": 3, "name": "Zeus"},
        {"ioc": "198.51.100.0/24", "level": None},
        {"other": 1},
        ["no object"],
        {"ioc": "9.9.9.9", "name": "half a pair \ud83d"},
    )
)


@pytest.mark.parametrize(
    ("content", "options", "said", "skipped"),
    [
        pytest.param(
            TEXT,
            {"label": "Bad", "severity": "1"},
            {
                "8.8.8.8": "mine:Bad:1",
                "198.51.100.9": "mine:Bad:1",
                "www.evil.com": "mine:Bad:1",
                "bad.com/path?x": "mine:Bad:1",
                "bad.com/other": "",
            },
            1,
            id="text",
        ),
        pytest.param(
            "http://evil.com/#/a;b  # why\nbad.com ;SBL\n",
            {},
            {"evil.com/#/a;b": "mine:Listed:2", "evil.com/": "", "bad.com": "mine:Listed:2"},
            0,
            id="text, # and ; in a URI",
        ),
        pytest.param(
            "0.0.0.0 evil.com\n0.0.0.0 bad.com\nalone\n",
            {"indicator": "1"},
            {"evil.com": "mine:Listed:2", "0.0.0.0": ""},
            1,
            id="hosts file",
        ),
        pytest.param(
            CSV,
            {
                "format": "csv",
                "indicator": "ip",
                "label_column": "kind",
                "severity_column": "threat level",
                "category_column": "why",
            },
            {
                "8.8.8.8": "mine:c2:3",
                "198.51.100.9": "mine:scan:1",
                "evil.com": "mine:Listed:2",
                "bad.com/path": "",
            },
            1,
            id="csv",
        ),
        pytest.param(
            "# made today\n#Indicator , LABEL\n8.8.8.8,Bad\n",
            {"format": "csv", "indicator": "indicator", "label_column": "Label"},
            {"8.8.8.8": "mine:Bad:2"},
            0,
            id="csv, its header a comment",
        ),
        pytest.param(
            "\ufeffThreat Level,IP\r\nHIGH,8.8.8.8\r\nlow,9.9.9.9\r\n",
            {"format": "csv", "indicator": "ip", "severity_column": "threatlevel"},
            {"8.8.8.8": "mine:Listed:3", "9.9.9.9": "mine:Listed:1"},
            0,
            id="csv, mark, CR LF, names without case and blanks",
        ),
        pytest.param(
            '8.8.8.8,"a, b\nand ""c"""\n9.9.9.9,"open\n1.1.1.1,d\n',
            {"format": "csv", "label_column": "1"},
            {
                "8.8.8.8": 'mine:a, b\nand "c":2',
                "9.9.9.9": "mine:open:2",
                "1.1.1.1": "mine:d:2",
            },
            0,
            id="csv, quotes over lines and a stray one",
        ),
        pytest.param(
            "8.8.8.1 - 8.8.8.9\n1.1.1.1 - a comment\n",
            {},
            {"8.8.8.8": "mine:Listed:2", "1.1.1.1": "mine:Listed:2"},
            0,
            id="text, a range with blanks",
        ),
        pytest.param(
            "x|8.8.8.8|4\ny|evil.com|3\n",
            {"format": "csv", "delimiter": "|", "indicator": "1", "severity_column": "2"},
            {"8.8.8.8": "", "evil.com": "mine:Listed:3"},
            1,
            id="csv by number",
        ),
        pytest.param(
            LINES,
            {
                "format": "jsonl",
                "indicator": "ioc",
                "label_column": "name",
                "severity_column": "level",
            },
            {"8.8.8.8": "mine:Zeus:3", "198.51.100.9": "mine:Listed:2", "9.9.9.9": ""},
            3,
            id="jsonl",
        ),
    ],
)
@pytest.mark.parametrize("local", [True, False], ids=["local", "fetched"])
def test_forms_of_lists(
    ask: Asked,
    source: Source,
    listed: dict[str, dict[str, dict[str, str]]],
    content: str,
    options: dict[str, str],
    said: dict[str, str],
    skipped: int,
    local: bool,
) -> None:
    if local:
        ask.home.mkdir()
        (ask.home / "list").write_text(content)
        place = {"path": str(ask.home / "list")}
    else:
        source.content = content
        place = listed["feeds"]["mine"]
    found = ask({"feeds": {"mine": place | options}}, "uri", *said)
    assert texts(found) == said
    assert found.outcomes[0].skipped == skipped


NO_ENTRY = "it is not an address, network, range"


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        pytest.param(
            b"\n9.9.9.9,abuse\n",
            {},
            f"1 lines, none is valid: line 2, '9.9.9.9,abuse': {NO_ENTRY}",
            id="csv as text",
        ),
        pytest.param(b"||bad.com^\n", {}, f"line 1, '||bad.com^': {NO_ENTRY}", id="adblock"),
        pytest.param(
            b"<html>\n<body>\nPlease sign in\n</body></html>\n",
            {},
            f"4 lines, none is valid: line 1, '<html>': {NO_ENTRY}",
            id="a page",
        ),
        pytest.param("9.9.9.9\n".encode("utf-16"), {}, "NUL bytes, like UTF-16", id="utf-16"),
        pytest.param(gzip.compress(b"9.9.9.9\n" * 99), {}, "none is valid", id="gzip"),
        pytest.param(
            b"ip\n9.9.9.9\n", {"format": "jsonl", "indicator": "ip"}, "not JSON", id="no JSON"
        ),
        pytest.param(
            b'{"addr": "9.9.9.9"}',
            {"format": "jsonl", "indicator": "ip"},
            "no 'ip'",
            id="other JSON",
        ),
        pytest.param(b"a b\n", {"indicator": "5"}, "too few columns", id="no such column"),
        pytest.param(
            b"# by hand\nIP Address,why\n9.9.9.9,x\n",
            {"format": "csv", "indicator": "ip", "label_column": "what"},
            "has no column 'ip' and no 'what': found is 'IP Address, why'",
            id="no such name",
        ),
        pytest.param(
            b"ip,level\n9.9.9.9,severe\n",
            {"format": "csv", "indicator": "ip", "severity_column": "level"},
            "line 2, '9.9.9.9,severe': its severity is not one of unverified",
            id="other severities",
        ),
    ],
)
@pytest.mark.parametrize("local", [True, False], ids=["local", "fetched"])
def test_a_list_of_which_nothing_can_be_used_is_not_ok_and_replaces_nothing(
    ask: Asked,
    httpserver: HTTPServer,
    content: bytes,
    options: dict[str, str],
    reason: str,
    local: bool,
) -> None:
    now = b"8.8.8.8\n"
    httpserver.expect_request("/list").respond_with_handler(lambda _: Response(now))
    ask.home.mkdir()
    path = ask.home / "list"
    path.write_bytes(now)
    place = {"path": str(path)} if local else {"url": httpserver.url_for("/list")}
    ask({"feeds": {"mine": place}}, "address", "8.8.8.8")
    copy = ask.home / "cache" / "feeds" / "mine"
    grow_older(ask.home, 25)
    now = content
    path.write_bytes(now)
    kept = ask({"feeds": {"mine": place | options}}, "address", "8.8.8.8")
    assert copy.read_bytes() == b"8.8.8.8\n"
    assert statuses(kept)["mine"] != "ok"
    assert reason in details(kept)[0]
    assert not local or str(path) in details(kept)[0]
    copy.unlink()
    found = ask({"feeds": {"mine": place | options}}, "address", "8.8.8.8", "9.9.9.9")
    assert outcomes(found) == {"8.8.8.8": "malformed", "9.9.9.9": "malformed"}
    assert statuses(found) == {"mine": "malformed"}
    assert reason in details(found)[0]
    assert "\n" not in details(found)[0]


def test_a_copy_that_other_options_cannot_read_is_not_ok(
    ask: Asked, source: Source, listed: dict[str, dict[str, dict[str, str]]]
) -> None:
    ask(listed, "address", "8.8.8.8")
    other = {"feeds": {"mine": listed["feeds"]["mine"] | {"indicator": "1"}}}
    found = ask(other, "address", "8.8.8.8")
    assert outcomes(found) == {"8.8.8.8": "malformed"}
    assert "too few columns" in details(found)[0]


def test_more_than_a_tenth_of_a_list_skipped_is_told_with_the_first_reason(
    ask: Asked, source: Source, listed: dict[str, dict[str, dict[str, str]]]
) -> None:
    for bad, told in ((2, "line 3, '||a.com^': it is not an address"), (1, "")):
        grown = ["8.8.8.8\n", "9.9.9.9\n", *["||a.com^\n"] * bad, *["1.1.1.1\n"] * 12]
        source.content = "".join(grown)
        found = ask(listed, "address", "8.8.8.8")
        assert found.outcomes[0].skipped == bad
        assert found.outcomes[0].first_skipped.startswith(told)
        assert bool(found.outcomes[0].first_skipped) == bool(told)
        grow_older(ask.home, 25)


def test_a_category_and_what_matched_are_kept(
    ask: Asked, source: Source, listed: dict[str, dict[str, dict[str, str]]]
) -> None:
    source.content = CSV
    options = listed["feeds"]["mine"] | {
        "format": "csv",
        "indicator": "ip",
        "category_column": "why",
    }
    found = ask({"feeds": {"mine": options}}, "address", "8.8.8.8")
    assert verdicts(found, "category", "matched_entry") == {"8.8.8.8": ("Zeus, again", "8.8.8.8")}


def test_a_local_file_is_read_anew_each_time_and_shows_its_own_age(ask: Asked) -> None:
    ask.home.mkdir()
    path = ask.home / "list"
    services = {"feeds": {"mine": {"path": str(path)}}}
    for address in ("8.8.8.8", "1.1.1.1"):
        path.write_text(address)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        found = ask(services, "address", address)
        assert texts(found) == {address: "mine:Listed:2"}
        assert re.fullmatch(r"entries: 1, written 2001-09-09, \d{4} days old", details(found)[0])
    path.unlink()
    assert statuses(ask(services, "address", "8.8.8.8")) == {"mine": "stale"}


def test_a_list_behind_a_key(ask: Asked, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/list", headers={"X-Key": KEY}).respond_with_data("8.8.8.8\n")
    options = {"url": httpserver.url_for("/list"), "header": "X-Key", "key": KEY}
    found = ask({"feeds": {"mine": options}}, "address", "8.8.8.8")
    assert texts(found) == {"8.8.8.8": "mine:Listed:2"}


def test_several_lists_and_a_local_feed(
    ask: Asked, httpserver: HTTPServer, write_context_in: Callable[..., None]
) -> None:
    write_context_in(ask.home, "reputation/ours.csv", "8.8.8.8,Fine,0\n")
    lists = {}
    for name in ("one", "two"):
        httpserver.expect_request(f"/{name}").respond_with_data("8.8.8.0/24\n")
        lists[name] = {"url": httpserver.url_for(f"/{name}"), "label": name}
    found = ask({"feeds": lists}, "address", "8.8.8.8")
    assert texts(found) == {"8.8.8.8": "one:one:2::ours:Fine:0::two:two:2"}


def test_a_slow_list_does_not_hold_the_day(ask: Asked, httpserver: HTTPServer) -> None:
    release = threading.Event()

    def answer(_: Request) -> Response:
        release.wait(30)
        return Response("8.8.8.8\n")

    httpserver.expect_request("/list").respond_with_handler(answer)
    services = {"feeds": {"mine": {"url": httpserver.url_for("/list")}}}
    begin = time.monotonic()
    found = ask(services, "address", "8.8.8.8", service_seconds=0.5)
    release.set()
    assert time.monotonic() - begin < 15
    assert outcomes(found) == {"8.8.8.8": "timeout"}


# --- asking whether a list has changed ---------------------------------------------------------


class Versioned:
    """A server of files that tells which version it has, and sends none that is known."""

    def __init__(self, **files: str) -> None:
        self.files = files
        self.by_time = False
        self.sent: list[tuple[str, int]] = []

    def __call__(self, request: Request) -> Response:
        name = request.path.rpartition("/")[2].removesuffix(".json")
        response = Response(self.files[name])
        if self.by_time:
            response.last_modified = dt.datetime(2026, 1, 1 + len(self.files[name]), tzinfo=dt.UTC)
        else:
            response.add_etag()
        response.make_conditional(request)
        self.sent.append((name, response.status_code))
        return response


@pytest.fixture
def versioned(httpserver: HTTPServer) -> Versioned:
    server = Versioned(list="8.8.8.8", drop_v4='{"cidr": "8.8.8.0/24"}', drop_v6='{"cidr": "::/9"}')
    httpserver.expect_request(re.compile(".*")).respond_with_handler(server)
    return server


@pytest.mark.parametrize("by_time", [True, False])
def test_a_list_is_sent_again_only_if_it_has_changed(
    ask: Asked, versioned: Versioned, listed: dict[str, dict[str, dict[str, str]]], by_time: bool
) -> None:
    versioned.by_time = by_time
    for content, status in (("8.8.8.8", 200), ("8.8.8.8", 304), ("1.1.1.1 8", 200), (None, 304)):
        versioned.files["list"] = content or versioned.files["list"]
        found = ask(listed, "address", "8.8.8.8", "1.1.1.1")
        new = versioned.files["list"].startswith("1")
        assert texts(found) == {
            "8.8.8.8": "" if new else "mine:Listed:2",
            "1.1.1.1": "mine:Listed:2" if new else "",
        }
        assert statuses(found) == {"mine": "ok"}
        assert details(found)[0].endswith(", 0 days old")
        assert versioned.sent.pop() == ("list", status)
        ask(listed, "address", "8.8.8.8")
        assert versioned.sent == []
        grow_older(ask.home, 25)


def test_a_copy_that_is_gone_or_broken_is_fetched_whole(
    ask: Asked, versioned: Versioned, listed: dict[str, dict[str, dict[str, str]]]
) -> None:
    copy = ask.home / "cache" / "feeds" / "mine"
    ask(listed, "address", "8.8.8.8")
    copy.unlink()
    ask(listed, "address", "8.8.8.8")
    copy.write_text("")
    grow_older(ask.home, 25)
    found = ask(listed, "address", "8.8.8.8")
    assert statuses(found) == {"mine": "ok"}
    assert texts(found) == {"8.8.8.8": "mine:Listed:2"}
    assert [status for _, status in versioned.sent] == [200, 200, 304, 200]


@pytest.mark.usefixtures("versioned")
def test_what_is_kept_to_ask_with_holds_no_key(ask: Asked, httpserver: HTTPServer) -> None:
    ask({"feeds": {"mine": {"url": httpserver.url_for(f"/{KEY}/list")}}}, "address", "8.8.8.8")
    kept = (ask.home / "cache" / "feeds" / ".mine.json").read_text()
    assert "If-None-Match" in kept
    assert KEY not in kept


def test_a_list_in_two_files_is_whole_if_one_has_changed(
    ask: Asked, versioned: Versioned, httpserver: HTTPServer
) -> None:
    services = {"spamhaus": {"url": httpserver.url_for("/drop")}}
    ask(services, "address", "8.8.8.8")
    feeds = ask.home / "cache" / "feeds"
    for changed, sent in (
        ("", [304, 304]),
        ("drop_v6", [304, 200, 200]),
        ("drop_v4", [200, 304, 200]),
    ):
        versioned.sent.clear()
        if changed:
            versioned.files[changed] += " "
        then = time.time() - 13 * 3600
        os.utime(feeds / "spamhaus", (then, then))
        found = ask(services, "address", "8.8.8.8", "::1")
        assert set(texts(found).values()) == {"spamhaus:DROP:3"}
        assert [status for _, status in versioned.sent] == sent
    assert {path.name for path in feeds.iterdir()} == {"spamhaus", ".spamhaus.json"}


def test_a_list_that_broke_off_does_not_replace_the_copy(
    ask: Asked, source: Source, listed: dict[str, dict[str, dict[str, str]]]
) -> None:
    ask(listed, "address", "8.8.8.8")
    grow_older(ask.home, 25)
    source.content, source.headers = "1.1.1.1\n", {"Content-Length": "9999"}
    found = ask(listed, "address", "8.8.8.8", "1.1.1.1")
    assert statuses(found) == {"mine": "stale"}
    assert "cut off" in details(found)[0]
    assert texts(found) == {"8.8.8.8": "mine:Listed:2", "1.1.1.1": ""}


def test_a_list_like_no_other_does_not_stop_the_day(ask: Asked) -> None:
    ask.home.mkdir()
    (ask.home / "list").write_text("[" * 99_999 + '\n{"0": "8.8.8.8"}\n')
    options = {"path": str(ask.home / "list"), "format": "jsonl"}
    found = ask({"feeds": {"mine": options}}, "address", "8.8.8.8")
    assert texts(found) == {"8.8.8.8": "mine:Listed:2"}
    assert found.outcomes[0].skipped == 1
