from __future__ import annotations

import pytest

from python_enrichers import load_enricher
from python_enrichers.base import Enrichment
from spot_oa.errors import EnrichmentError
from spot_oa.settings import Settings
from tests.support.lookups import WriteContext, column


def enrich(settings: Settings, *addresses: str) -> Enrichment:
    return load_enricher("network_context", settings).enrich({"address": addresses})


def internal(enrichment: Enrichment) -> dict[str, object]:
    return column(enrichment.tables["network_context"], "ip", "is_internal")


def labels(enrichment: Enrichment) -> dict[str, object]:
    return column(enrichment.tables["network_context"], "ip", "label")


def test_without_files_nothing_is_internal_and_nothing_has_a_label(settings: Settings) -> None:
    found = enrich(settings, "10.0.0.1", "2001:db8::1")
    assert internal(found) == {"10.0.0.1": 0, "2001:db8::1": 0}
    assert labels(found) == {"10.0.0.1": "", "2001:db8::1": ""}
    assert found.outcomes == []


def test_no_indicators_give_an_empty_table_with_its_columns(settings: Settings) -> None:
    frame = load_enricher("network_context", settings).enrich({}).tables["network_context"]
    assert list(frame.columns) == ["ip", "is_internal", "label"]
    assert frame.empty


def test_ranges_are_internal_with_both_ends(
    settings: Settings, write_context: WriteContext
) -> None:
    write_context(
        "ipranges.csv",
        "start,end,label\n10.0.0.5,10.0.0.7,Lab\n\n2001:db8::,2001:db8::ff,Six\n"
        "10.0.0.9,10.0.0.8,reversed\n10.0.0.9,10.0.0.9\n10.0.0.0/8,10.0.0.255,no address\n",
    )
    found = enrich(settings, "10.0.0.4", "10.0.0.5", "10.0.0.7", "10.0.0.9", "2001:db8::ff", "host")
    assert internal(found) == {
        "10.0.0.4": 0,
        "10.0.0.5": 1,
        "10.0.0.7": 1,
        "10.0.0.9": 0,
        "2001:db8::ff": 1,
        "host": 0,
    }
    (outcome,) = found.outcomes
    assert (outcome.source, outcome.asked, outcome.found, outcome.skipped) == ("ipranges", 5, 3, 3)
    assert outcome.detail.startswith("entries: 2, written ")


CONTEXT = """IP,Name,Extra
10.0.0.5,finance-pc-5,x
10.0.0.6,"Smith, J. laptop",x
10.0.0.7,only two columns
10.0.0.0/24,lab subnet,x
10.0.0.0-10.0.0.9,lab range,x
2001:db8::/32,six
"10.0.0.8,unbalanced
10.0.0.300,no address
10.0.0.5,finance again
"""


@pytest.mark.parametrize(
    ("address", "label"),
    [
        ("10.0.0.5", "finance again"),
        ("::ffff:10.0.0.5", "finance again"),
        ("10.0.0.6", "Smith, J. laptop"),
        ("10.0.0.7", "only two columns"),
        ("10.0.0.8", "lab range"),
        ("10.0.0.10", "lab subnet"),
        ("2001:DB8::1", "six"),
        ("10.0.1.0", ""),
        ("2001:db9::1", ""),
        ("10.0.0.5 ", ""),
        ("Name", ""),
    ],
)
def test_labels(settings: Settings, write_context: WriteContext, address: str, label: str) -> None:
    write_context("networkcontext.csv", CONTEXT)
    assert labels(enrich(settings, address)) == {address: label}


def test_the_outcome_counts_broken_lines(settings: Settings, write_context: WriteContext) -> None:
    write_context("networkcontext.csv", CONTEXT)
    (outcome,) = enrich(settings, "10.0.0.5", "10.0.1.0", "no address").outcomes
    assert (outcome.source, outcome.asked, outcome.found, outcome.skipped) == (
        "networkcontext",
        2,
        1,
        2,
    )


@pytest.mark.parametrize("name", ["ipranges.csv", "networkcontext.csv"])
def test_an_unreadable_file_is_found_at_load(
    settings: Settings, write_context: WriteContext, name: str
) -> None:
    write_context(f"{name}/in the way", "")
    with pytest.raises(EnrichmentError, match=name):
        load_enricher("network_context", settings)


@pytest.mark.parametrize("network", ["10.0.0.7/32", "10.0.0.7-10.0.0.7"])
def test_an_exact_address_goes_before_a_network_of_one(
    settings: Settings, write_context: WriteContext, network: str
) -> None:
    write_context("networkcontext.csv", f"10.0.0.7,exact\n{network},network\n")
    assert labels(enrich(settings, "10.0.0.7")) == {"10.0.0.7": "exact"}


@pytest.mark.parametrize(
    "line",
    [
        "10.0.0.0/30,own",
        "10.0.0.0/30",
        "10.0.0.0/30,,own",
        "10.0.0.2/30,own,more",
        "10.0.0.0-10.0.0.3,own",
        '10.0.0.0,10.0.0.3,"own\nnetwork"',
    ],
)
def test_a_network_or_range_in_one_column_is_internal(
    settings: Settings, write_context: WriteContext, line: str
) -> None:
    write_context("ipranges.csv", line + "\n")
    found = enrich(settings, "10.0.0.0", "10.0.0.3", "10.0.0.4")
    assert internal(found) == {"10.0.0.0": 1, "10.0.0.3": 1, "10.0.0.4": 0}


def test_utf_16_with_its_mark_is_read(settings: Settings, write_context: WriteContext) -> None:
    write_context("ipranges.csv", "start,end,label\r\n10.0.0.0,10.0.0.3,own\r\n".encode("utf-16"))
    assert internal(enrich(settings, "10.0.0.3")) == {"10.0.0.3": 1}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("ipranges.csv", b"8.8.8.0,8.8.8.255\n", "3 columns are needed, found 2"),
        ("ipranges.csv", b"8.8.8.0;8.8.8.255;own\n", "found 1; commas are needed"),
        ("ipranges.csv", "8.8.8.0/24,own".encode("utf-16-le"), "is it UTF-16?"),
        ("ipranges.csv", b"start,end,label\n8.8.8.0/33,own\n", "'33' is not a prefix length"),
        ("ipranges.csv", b"8.8.8.0/24,8.8.8.9,own\n", "already is a range, but '8.8.8.9' gives"),
        ("ipranges.csv", b"8.8.8.9,8.8.8.0,own\n", "8.8.8.9 to 8.8.8.0 is not a range"),
        ("ipranges.csv", b"8.8.8.9,::1,own\n", "8.8.8.9 to ::1 is not a range"),
        ("networkcontext.csv", b"10.0.0.5\n", "2 columns are needed, found 1"),
        ("networkcontext.csv", b"10.0.0.500,x\n", "'10.0.0.500' is not an address"),
        (
            "iploc.csv",
            b"1.0.0.0,1.0.0.9,a,b,c,d,1,2,e,f\n",
            "'1.0.0.0' and '1.0.0.9' are not addresses as",
        ),
        ("iploc.csv", b"1,2,a,b,c,d,1,2,e\n", "10 columns are needed, found 9"),
        ("iploc.csv", b"2,1,a,b,c,d,1,2,e,f\n", "2 to 1 is not a range"),
    ],
)
def test_a_file_of_which_nothing_can_be_used_is_found_at_load(
    settings: Settings, write_context: WriteContext, name: str, content: bytes, said: str
) -> None:
    path = write_context(name, content)
    with pytest.raises(EnrichmentError) as caught:
        load_enricher("geo" if name == "iploc.csv" else "network_context", settings)
    message = str(caught.value)
    assert message.startswith(f"context file {path}: 1 lines")
    assert said in message
    assert "write lines as " in message
    assert message.isprintable()


def test_a_broken_first_line_of_own_addresses_is_counted(
    settings: Settings, write_context: WriteContext
) -> None:
    write_context("ipranges.csv", "8.8.8.0;8.8.8.255;own\n10.0.0.0/8,own\n")
    (outcome,) = enrich(settings, "8.8.8.8").outcomes
    assert outcome.skipped == 1
    assert outcome.first_skipped.startswith("line 1, '8.8.8.0;8.8.8.255;own': ")


@pytest.mark.parametrize("content", [b"", b"\n \n", b"start,end,label\n"])
def test_own_addresses_without_a_range_are_an_error(
    settings: Settings, write_context: WriteContext, content: bytes
) -> None:
    path = write_context("ipranges.csv", content)
    with pytest.raises(EnrichmentError) as caught:
        load_enricher("network_context", settings)
    assert str(caught.value).startswith(f"context file {path} has no range, so no address ")
    assert "write lines as start,end,label or network/bits,label" in str(caught.value)
