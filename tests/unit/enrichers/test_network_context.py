from __future__ import annotations

import pytest

from python_enrichers import load_enricher
from python_enrichers.base import Enrichment
from spot_oa.errors import EnrichmentError
from spot_oa.settings import Settings
from tests.unit.enrichers.conftest import WriteContext, column


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
