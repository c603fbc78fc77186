"""What the scorer's SQL looks up."""

from __future__ import annotations

from pathlib import Path

from python_enrichers.addresses import parse_address
from python_enrichers.scoring import MOST_LABELS, expanded, own_networks, public_suffixes
from spot_oa.settings import load_settings


def test_addresses_compare_as_texts() -> None:
    assert expanded(parse_address("10.0.0.1")) == "010.000.000.001"
    assert expanded(parse_address("2001:db8::1")) == "2001:0db8:0000:0000:0000:0000:0000:0001"


def test_without_a_file_private_addresses_are_own(tmp_path: Path) -> None:
    rows, given = own_networks(load_settings(home=tmp_path))
    assert not given
    assert (4, "172.016.000.000", "172.031.255.255") in [
        tuple(r.values()) for r in rows.to_pylist()
    ]


def test_own_ranges_come_from_the_operator(tmp_path: Path) -> None:
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "ipranges.csv").write_text("192.0.2.0/24,,x\n", "utf-8")
    rows, given = own_networks(load_settings(home=tmp_path))
    assert given
    assert [tuple(r.values()) for r in rows.to_pylist()] == [
        (4, "192.000.002.000", "192.000.002.255")
    ]


def test_rules_of_the_public_suffix_list() -> None:
    rules = {row["suffix"]: row for row in public_suffixes().to_pylist()}
    assert rules["co.uk"]["registered_labels"] == 1
    assert rules["ck"]["registered_labels"] == 2  # *.ck
    assert rules["www.ck"]["registered_labels"] == 0  # !www.ck
    assert "com" not in rules
    # A customer's name below a provider's is no domain of its own.
    assert "cloudfront.net" not in rules
    assert max(row["labels"] for row in rules.values()) <= MOST_LABELS
