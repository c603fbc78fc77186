from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import pandas as pd
import pytest

from python_enrichers import load_enricher
from python_enrichers.base import Enrichment, Indicators, Outcome, Status, lookup_frame
from python_enrichers.reputation.base import Verdicts
from python_enrichers.reputation.enricher import Reputation
from python_enrichers.reputation.lists.match import matches_of
from python_enrichers.reputation.tables import VERDICTS
from spot_oa.errors import EnrichmentError
from spot_oa.pipelines import IndicatorType
from spot_oa.settings import Settings
from tests.support.lookups import WriteContext, column


def enrich(settings: Settings, kind: IndicatorType, *indicators: str) -> Enrichment:
    return load_enricher("reputation", settings).enrich({kind: indicators})


def matched(enrichment: Enrichment) -> dict[str, object]:
    return column(enrichment.tables["reputation_verdicts"], "indicator", "matched_entry")


def texts(enrichment: Enrichment) -> dict[str, object]:
    return column(enrichment.tables["reputation"], "indicator", "reputation")


def severities(enrichment: Enrichment) -> dict[str, object]:
    return column(enrichment.tables["reputation"], "indicator", "severity")


ADDRESSES = """indicator,label,severity
10.0.0.0/8,Eight,1
10.0.0.7,Host,3
10.0.0.0/24,Twenty-four,2
2001:db8::/32,Six,2
"""


@pytest.mark.parametrize(
    ("address", "entry"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("10.0.0.8", "10.0.0.0/24"),
        ("10.1.0.0", "10.0.0.0/8"),
        ("11.0.0.0", None),
        ("2001:DB8::1", "2001:db8::/32"),
        ("no address", None),
    ],
)
def test_addresses(
    settings: Settings, write_context: WriteContext, address: str, entry: str | None
) -> None:
    write_context("reputation/feed.csv", ADDRESSES)
    assert matched(enrich(settings, "address", address)) == {address: entry}


NAMES = """www.example.com,Exact,1
Example.ORG.,Domain,2
b.example.org,Below,3
evil.co.uk,Uk,3
co.uk,Suffix,3
localhost,Local,1
8.8.8.8,Address,1
1/26.2.0.192.in-addr.arpa,Classless,1
.,Root,1
http://,Nothing,1
"""


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("www.example.com", "www.example.com"),
        ("WWW.example.COM.", "www.example.com"),
        ("example.com", None),
        ("a.www.example.com", None),
        ("a.example.org", "Example.ORG."),
        ("x.b.example.org", "Example.ORG."),
        ("b.example.org", "b.example.org"),
        ("x.y.evil.co.uk", "evil.co.uk"),
        ("other.co.uk", None),
        ("notevil.co.uk", None),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("x.localhost", None),
        ("8.8.8.8", "8.8.8.8"),
        ("1/26.2.0.192.in-addr.arpa", "1/26.2.0.192.in-addr.arpa"),
        (".", None),
        ("", None),
    ],
)
def test_names(
    settings: Settings, write_context: WriteContext, name: str, entry: str | None
) -> None:
    write_context("reputation/feed.csv", NAMES)
    assert matched(enrich(settings, "name", name)) == {name: entry}


URIS = """www.example.com/a/b?x=1,Exact,1
http://www.example.com/a,Prefix,2
https://WWW.example.com/A/,Slash,2
www.example.com,Host,1
example.com,Domain,1
example.net/path,Path,1
198.51.100.0/24,Network,2
198.51.100.7,Address,3
2001:db8::/32,Six,2
http://tunnel.example.org:8443,Port,3
ftp://files.example.info/pub,Ftp,1
example.edu/p?,Query,1
"""


@pytest.mark.parametrize(
    ("uri", "entry"),
    [
        ("www.example.com/a/b?x=1", "www.example.com/a/b?x=1"),
        ("https://www.example.com/a/b?x=1", "www.example.com/a/b?x=1"),
        ("www.example.com/a/b?x=10", "http://www.example.com/a"),
        ("WWW.EXAMPLE.COM/a", "http://www.example.com/a"),
        ("www.example.com/a?q", "http://www.example.com/a"),
        ("www.example.com/a#f", "http://www.example.com/a"),
        ("www.example.com/ab", "www.example.com"),
        ("www.example.com/A/x", "https://WWW.example.com/A/"),
        ("www.example.com/A", "www.example.com"),
        ("www.example.com:8080/z", "www.example.com"),
        ("user@www.example.com/z", "www.example.com"),
        ("www.example.com.", "www.example.com"),
        ("x.y.example.com:443", "example.com"),
        ("notexample.com/", None),
        ("example.net/path/below", "example.net/path"),
        ("example.net/other", None),
        ("www.example.net/path", None),
        ("other.com/?u=http://example.com/", None),
        ("198.51.100.7:80/x", "198.51.100.7"),
        ("198.51.100.8/x", "198.51.100.0/24"),
        ("http://[2001:db8::1]:8080/x", "2001:db8::/32"),
        ("2001:db8::1/x", "2001:db8::/32"),
        ("tunnel.example.org:8443", "http://tunnel.example.org:8443"),
        ("tunnel.example.org:8443/x", "http://tunnel.example.org:8443"),
        ("tunnel.example.org:443", None),
        ("ftp://files.example.info/pub/x", "ftp://files.example.info/pub"),
        ("files.example.info/pub/x", None),
        ("example.edu/p?", "example.edu/p?"),
        ("example.edu/p?x", None),
        ("-", None),
        ("", None),
        ("/" * 65_536, None),
        ("www.example.com/" + "a/" * 32_768, "http://www.example.com/a"),
    ],
)
def test_uris(settings: Settings, write_context: WriteContext, uri: str, entry: str | None) -> None:
    write_context("reputation/feed.csv", URIS)
    assert matched(enrich(settings, "uri", uri)) == {uri: entry}


@pytest.mark.parametrize(
    ("entry", "kind", "yes", "no"),
    [
        ("10.0.0.1-10.0.0.9", "address", ["10.0.0.1", "10.0.0.9"], ["10.0.0.10"]),
        ("10.0.0.1 - 10.0.0.9", "address", ["10.0.0.5"], ["10.0.0.0"]),
        ("10.0.0.0/255.255.255.0", "address", ["10.0.0.255"], ["10.0.1.0"]),
        ("10.0.0.7:4444", "address", ["10.0.0.7"], ["10.0.0.8"]),
        ("[2001:db8::1]:443", "address", ["2001:db8:0::1"], ["2001:db8::2"]),
        ("[2001:db8::1]", "address", ["2001:db8::1"], []),
        ("http://10.0.0.7/", "address", ["10.0.0.7"], []),
        ("10.0.0[.]7", "address", ["10.0.0.7"], []),
        ("*.bad.com", "name", ["bad.com", "a.bad.com", "b.a.bad.com"], ["notbad.com"]),
        (".bad.com", "name", ["bad.com", "a.BAD.com."], ["com"]),
        ("*.a.bad.com", "name", ["a.bad.com", "c.b.a.bad.com"], ["bad.com", "b.bad.com"]),
        ("*.tk", "name", ["bad.tk", "a.bad.tk"], ["tk.com"]),
        ("*.bad.com", "uri", ["a.bad.com/x", "http://bad.com:81/"], ["a.com/bad.com"]),
        ("bad.com:8443", "name", ["bad.com", "www.bad.com"], []),
        ("bad.com:8443", "uri", ["bad.com/x", "bad.com:1/"], []),
        ("b\u00fccher.com", "name", ["xn--bcher-kva.com", "www.XN--BCHER-KVA.com"], ["bcher.com"]),
        ("xn--bcher-kva.com", "name", ["b\u00fccher.com", "B\u00dcCHER.com."], []),
        ("stra\u00dfe.com", "name", ["xn--strae-oqa.com"], ["strasse.com"]),
        ("b\u00fccher.com/x", "uri", ["xn--bcher-kva.com/x", "b\u00fccher.com/x"], []),
        ("bad[.]com", "name", ["bad.com"], []),
        ("hxxps://bad[.]com/x", "uri", ["bad.com/x"], ["bad.com/y"]),
        ("hxxp[://]bad.com/", "name", ["bad.com"], []),
        ("http://bad.com:80/x", "uri", ["bad.com/x", "bad.com:443/x"], ["bad.com:81/x"]),
        ("bad.com/x", "uri", ["http://bad.com:80/x", "https://bad.com:443/x"], []),
        ("http://bad.com:81/x", "uri", ["bad.com:81/x"], ["bad.com/x"]),
        ("ftp://bad.com/x", "uri", ["ftp://bad.com:21/x"], ["bad.com/x"]),
        ("http://bad.com", "uri", ["bad.com", "bad.com/", "https://bad.com:443"], []),
        ("http://bad.com/", "uri", ["bad.com", "bad.com:80"], []),
        ("bad.com?x", "uri", ["bad.com/?x"], ["bad.com/"]),
        ("bad.com:81/", "uri", ["bad.com:81", "bad.com:81/x"], ["bad.com/x"]),
        ("bad.com/x/*", "uri", ["bad.com/x/y"], ["bad.com/y"]),
        ("bad.com/*", "uri", ["bad.com/y", "bad.com"], []),
        ("http://[2001:db8:0::1]/x", "uri", ["[2001:db8::1]:80/x"], ["[2001:db8::1]/y"]),
        ("u:p@bad.com/x", "uri", ["bad.com/x", "http://v@bad.com/x"], []),
    ],
)
def test_notations(
    settings: Settings,
    write_context: WriteContext,
    entry: str,
    kind: IndicatorType,
    yes: list[str],
    no: list[str],
) -> None:
    write_context("reputation/feed.csv", f"indicator,label,severity\n{entry},Bad,3\n")
    found = matched(enrich(settings, kind, *yes, *no))
    assert found == dict.fromkeys(yes, entry) | dict.fromkeys(no)


@pytest.mark.parametrize(
    "entry",
    [
        *("", ".", "*", "*.", "http://", "-", "?", "a b.com", "not-a-\x00name.com", "a..com"),
        *("203.000.113.009", "10.0.0.0/33", "10.0.0.0/255.0.255.0", "2001:db8::/129"),
        *("10.0.0.9-10.0.0.1", "10.0.0.1-50", "10.0.0.1|443", "10.0.0.256", "256.1.1.1:80"),
        *("||bad.com^", "*bad.com", "b*d.com", "*.bad.com/x", "joe@bad.com", "bad.com:http"),
        *("<html>", "{", "x" * 64 + ".com", "12345", "a,b.com", "\ud55c" * 64 + ".com"),
    ],
)
def test_what_can_match_nothing_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"it is no|before a name"):
        matches_of(entry)


def test_names_that_no_list_can_have_are_only_not_found(
    settings: Settings, write_context: WriteContext
) -> None:
    write_context("reputation/feed.csv", "bad.com,Bad,3\n")
    for kind in ("name", "uri"):
        odd = ["\ud55c" * 64, "\u200b.com", "a..b", "..", "xn--\u00fc", "::1:[x", "["]
        assert matched(enrich(settings, kind, *odd)) == dict.fromkeys(odd)


@pytest.mark.parametrize("indicator", ["10.0.0.7", "www.example.com", "www.example.com/a,b"])
def test_of_equal_indicators_the_last_counts(
    settings: Settings, write_context: WriteContext, indicator: str
) -> None:
    write_context(
        "reputation/feed.csv",
        f'"{indicator}",First,3\n"{indicator}",Last,1\n10.0.0.9,Other,2\n',
    )
    kind: IndicatorType = "uri"
    assert texts(enrich(settings, kind, indicator)) == {indicator: "feed:Last:1"}


def test_broken_lines_are_counted(settings: Settings, write_context: WriteContext) -> None:
    write_context(
        "reputation/feed.csv",
        "indicator,label,severity\n\n10.0.0.1,Good,-1,further\n10.0.0.2,Four,4\n10.0.0.3,Low,-2\n"
        "10.0.0.4,Text,severe\n10.0.0.5,Short\n,None,1\n10.0.0.6,Point,1.0\n",
    )
    found = enrich(settings, "address", *(f"10.0.0.{host}" for host in range(1, 7)))
    (outcome,) = found.outcomes
    assert (outcome.source, outcome.asked, outcome.found, outcome.skipped) == ("feed", 6, 1, 6)
    assert outcome.detail.startswith("entries: 1, written ")
    assert texts(found) == {"10.0.0.1": "feed:Good:-1"} | {f"10.0.0.{n}": "" for n in range(2, 7)}


def test_verdicts_tell_answers_from_silence(
    settings: Settings, write_context: WriteContext
) -> None:
    write_context("reputation/feed.csv", "10.0.0.1,Bad; really,0\n")
    frame = enrich(settings, "address", "10.0.0.1", "10.0.0.2").tables["reputation_verdicts"]
    assert frame["fetched_at"].notna().all()
    known = frame.drop(columns="fetched_at").astype(object)
    nothing = {"confidence": None, "category": None, "expires_at": None}
    assert known.where(known.notna(), None).to_dict("records") == [
        {
            "indicator": "10.0.0.1",
            "indicator_type": "address",
            "service": "feed",
            "severity": 0,
            "label": "Bad; really",
            "matched_entry": "10.0.0.1",
            "outcome": "answered",
            **nothing,
        },
        {
            "indicator": "10.0.0.2",
            "indicator_type": "address",
            "service": "feed",
            "severity": None,
            "label": None,
            "matched_entry": None,
            "outcome": "not found",
            **nothing,
        },
    ]


def test_services_are_joined_in_the_order_of_their_names(
    settings: Settings, write_context: WriteContext
) -> None:
    write_context("reputation/svc2.csv", "10.0.0.1,UNKNOWN,-1\n10.0.0.2,UNKNOWN,-1\n")
    write_context("reputation/svc1.csv", "10.0.0.1,High,3\n")
    write_context("reputation/.svc3.csv", "10.0.0.1,Hidden,3\n")
    write_context("reputation/notes.txt", "10.0.0.1,Text,3\n")
    found = enrich(settings, "address", "10.0.0.1", "10.0.0.2", "10.0.0.3")
    assert texts(found) == {
        "10.0.0.1": "svc1:High:3::svc2:UNKNOWN:-1",
        "10.0.0.2": "svc2:UNKNOWN:-1",
        "10.0.0.3": "",
    }
    assert severities(found) == {"10.0.0.1": 3, "10.0.0.2": -1, "10.0.0.3": None}
    assert [outcome.source for outcome in found.outcomes] == ["svc1", "svc2"]
    assert len(found.tables["reputation_verdicts"]) == 6


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("UNVERIFIED", -1),
        ("none", 0),
        ("Low", 1),
        (" medium ", 2),
        ("HIGH", 3),
        ("3", 3),
        ("-1", -1),
    ],
)
def test_a_severity_is_a_number_or_a_word(
    settings: Settings, write_context: WriteContext, word: str, severity: int
) -> None:
    write_context("reputation/feed.csv", f"10.0.0.1,Bad,{word}\n")
    assert severities(enrich(settings, "address", "10.0.0.1")) == {"10.0.0.1": severity}


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("Very Bad", "feed:Very Bad:1"),
        ("C2: Zeus", "feed:C2: Zeus:1"),
        ("a;b", "feed:ab:1"),
        ("a::b:;:c", "feed:a:b:c:1"),
        (":a:", "feed:a:1"),
        ("", "feed:-:1"),
        (";:", "feed:-:1"),
    ],
)
def test_labels_do_not_break_the_text(
    settings: Settings, write_context: WriteContext, label: str, text: str
) -> None:
    write_context("reputation/feed.csv", f'10.0.0.1,"{label}",1\n')
    assert texts(enrich(settings, "address", "10.0.0.1")) == {"10.0.0.1": text}


def test_no_feeds_give_rows_without_verdicts(settings: Settings) -> None:
    found = enrich(settings, "name", "www.example.com")
    assert texts(found) == {"www.example.com": ""}
    assert severities(found) == {"www.example.com": None}
    assert found.tables["reputation_verdicts"].empty
    assert found.outcomes == []


@pytest.mark.parametrize("name", ["reputation", "reputation/feed.csv/in the way"])
def test_what_cannot_be_read_is_found_at_load(
    settings: Settings, write_context: WriteContext, name: str
) -> None:
    write_context(name, "")
    with pytest.raises(EnrichmentError, match="cannot be read"):
        load_enricher("reputation", settings)


@pytest.mark.parametrize("name", ["a:b.csv", "a;b.csv"])
def test_a_feed_whose_name_would_break_the_text_is_refused(
    settings: Settings, write_context: WriteContext, name: str
) -> None:
    write_context(f"reputation/{name}", "")
    with pytest.raises(EnrichmentError, match="rename"):
        load_enricher("reputation", settings)


class NamesOnly:
    """A service as a later module may bring one."""

    kinds: AbstractSet[IndicatorType] = frozenset({"name"})

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[Sequence[str]] = []

    def lookup(self, indicators: Indicators) -> Verdicts:
        (names,) = indicators.values()
        self.asked.append(names)
        rows: pd.DataFrame = lookup_frame(
            VERDICTS,
            {
                "indicator": names,
                "indicator_type": ["name"] * len(names),
                "service": [self.name] * len(names),
                "severity": [2] * len(names),
                "label": ["Odd"] * len(names),
                "outcome": [Status.ANSWERED] * len(names),
            },
        )
        return Verdicts(rows, Outcome(self.name))


def test_a_service_is_asked_only_what_it_takes() -> None:
    services = [NamesOnly("two"), NamesOnly("one")]
    found = Reputation(services).enrich({"name": ["a.com"], "address": ["10.0.0.1"]})
    assert [service.asked for service in services] == [[["a.com"]], [["a.com"]]]
    assert texts(found) == {"a.com": "one:Odd:2::two:Odd:2", "10.0.0.1": ""}
