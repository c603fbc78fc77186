"""The code lists: what every engine loads alike."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from tests.support.project import PROJECT

SEEDS = sorted((PROJECT / "seeds").glob("*.csv"))


def read(seed: Path) -> list[dict[str, str]]:
    with seed.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.stem)
def test_a_code_has_one_name(seed: Path) -> None:
    rows = read(seed)
    codes = [int(row["code"]) for row in rows]
    assert [str(code) for code in codes] == [row["code"] for row in rows]
    assert sorted(set(codes)) == codes
    assert all(row["name"] == row["name"].strip() != "" for row in rows)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.stem)
def test_no_name_needs_quoting(seed: Path) -> None:
    """dbt-impala splits statements at every semicolon, engines differ in how they escape quotes."""
    assert not set(";'\"\\") & set(seed.read_text("utf-8"))


def test_all_are_described() -> None:
    described = yaml.safe_load((PROJECT / "seeds" / "_seeds.yml").read_text("utf-8"))["seeds"]
    assert [seed["name"] for seed in described] == [seed.stem for seed in SEEDS]
    types = yaml.safe_load((PROJECT / "dbt_project.yml").read_text("utf-8"))["seeds"]["spot_oa"]
    for seed in described:
        columns = {column["name"]: column["data_type"] for column in seed["columns"]}
        assert columns == types["+column_types"]


@pytest.mark.parametrize(
    ("seed", "code", "name"),
    [
        ("dns_classes", 1, "Internet (IN)"),
        ("dns_classes", 3, "Chaos (CH)"),
        ("dns_types", -1, "UNKNOWN"),
        ("dns_types", 10, "NULL"),
        ("dns_types", 65, "HTTPS"),
        ("dns_types", 257, "CAA"),
        ("dns_rcodes", 3, "NXDomain"),
        ("dns_rcodes", 23, "BADCOOKIE"),
        ("http_status_codes", 407, "Proxy Authentication Required"),
        ("ip_protocols", 58, "IPv6-ICMP"),
    ],
)
def test_names_are_those_of_iana(seed: str, code: int, name: str) -> None:
    rows = read(PROJECT / "seeds" / f"{seed}.csv")
    assert {int(row["code"]): row["name"] for row in rows}[code] == name
