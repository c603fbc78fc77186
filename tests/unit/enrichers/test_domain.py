from __future__ import annotations

import socket

import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from python_enrichers import load_enricher
from python_enrichers.domain import split_name
from spot_oa.settings import Settings


@pytest.mark.parametrize(
    ("name", "registered", "suffix"),
    [
        ("www.example.com", "example.com", "com"),
        ("example.com", "example.com", "com"),
        ("com", "", "com"),
        ("shop.example.co.uk", "example.co.uk", "co.uk"),
        ("a.b.c.d.example.io", "example.io", "io"),
        ("www.user.github.io", "user.github.io", "github.io"),
        ("github.io", "", "github.io"),
        ("8.8.8.8.in-addr.arpa", "8.in-addr.arpa", "in-addr.arpa"),
        ("1/26.2.0.192.in-addr.arpa", "192.in-addr.arpa", "in-addr.arpa"),
        ("b\u00fccher.example.com", "example.com", "com"),
        ("xn--bcher-kva.example", "", ""),
        ("x' or 1=1 -- .example.com", "example.com", "com"),
        ("o'brien.example.org", "example.org", "org"),
        ('a"b\\c d.example.com', "example.com", "com"),
        ("100%.example.com", "example.com", "com"),
        ("www.example.com.", "example.com", "com"),
        ("a..example.com", "example.com", "com"),
        (".com", "", "com"),
        ("localhost", "", ""),
        ("_ldap._tcp.corp.local", "", ""),
        ("12345", "", ""),
        ("192.0.2.1", "", ""),
        ("", "", ""),
        (".", "", ""),
        ("...", "", ""),
        ("WWW.Example.COM", "Example.COM", "COM"),
    ],
)
def test_names(name: str, registered: str, suffix: str) -> None:
    assert split_name(name) == (registered, suffix)


@hypothesis.settings(deadline=None)
@given(st.text() | st.from_regex(r"[\[\]@:/.\\a-z\x00-\x1f]*\.co\.uk\.?"))
@example("a" * 65_536)
@example("a." * 32_768)
@example("\0.\n.\x1b[31m.example.com")
@example("[::1]")
@example("[")
@example("@:[]")
def test_no_name_is_too_strange(name: str) -> None:
    registered, suffix = split_name(name)
    assert not registered or registered.endswith(f".{suffix}")


def test_rows_and_outcome_without_the_network(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    names = ["www.example.com", "localhost"]
    found = load_enricher("domain", settings).enrich({"name": names})
    assert found.tables["domain"].to_dict("list") == {
        "name": names,
        "registered_domain": ["example.com", ""],
        "public_suffix": ["com", ""],
    }
    (outcome,) = found.outcomes
    assert (outcome.asked, outcome.found, outcome.skipped) == (2, 1, 0)
