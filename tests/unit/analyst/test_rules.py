"""Rules as notebooks write them, and who connects to many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from spot_oa.errors import UsageError
from spot_oa.settings import Settings
from tests.support.labelled import day, publish, severities

EQ = ["eq"] * 6


@pytest.fixture
def flow(settings: Settings) -> Settings:
    publish(
        settings,
        "flow",
        [
            {"dport": 1024, "ipkt": 3, "ibyt": 152},
            {"dport": 1025, "ipkt": 3, "ibyt": 152},
            {"dport": 22, "ipkt": 152, "ibyt": 3},
            {"dport": None, "ipkt": 3, "ibyt": 152},
            {"dport": 0, "ipkt": 3, "ibyt": 152, "srcip": "2001:db8::5"},
        ],
    )
    return settings


def test_all_places_hold_and_null_never_does(flow: Settings) -> None:
    opened = day(flow)
    reply = opened.apply_rules(["eq", "eq", "eq", "leq", "eq", "eq"], ["", "", "", 1024, 3, 152], 2)
    assert reply.changed == 2
    assert severities(opened) == [2, 0, 0, 0, 2]
    assert reply.action is not None
    assert (reply.action.rule_id or "").startswith("apply_rules:")
    assert len(reply.action.rule_id or "") == len("apply_rules:") + 8


def test_no_value_matches_nothing(flow: Settings) -> None:
    reply = day(flow).apply_rules(EQ, [""] * 6, 1)
    assert (reply.matched, reply.action) == (0, None)
    assert "matches nothing" in str(reply)


@pytest.mark.parametrize("address", ["2001:DB8:0::5", "2001:db8::/64"])
def test_addresses_and_networks(flow: Settings, address: str) -> None:
    opened = day(flow)
    opened.apply_rules(EQ, [address, "", "", "", "", ""], 3)
    assert severities(opened) == [0, 0, 0, 0, 3]


def test_applied_twice_changes_nothing(flow: Settings) -> None:
    opened = day(flow)
    assert opened.apply_rules(EQ, ["", "", "", "", 3, ""], 3).changed == 4
    again = opened.apply_rules(EQ, ["", "", "", "", 3, ""], 3)
    assert (again.changed, again.action) == (0, None)


def test_rules_touch_open_rows_only(flow: Settings) -> None:
    opened = day(flow)
    opened.label_ranks([0], 1)
    opened.apply_rules(EQ, ["", "", "", "", 3, ""], 3)
    assert severities(opened) == [1, 3, 0, 3, 3]
    opened.label_ranks([1], 2)
    assert severities(opened) == [1, 2, 0, 3, 3]


def test_trying_writes_nothing(flow: Settings) -> None:
    opened = day(flow)
    tried = opened.try_rules([(EQ, ["", "", "", "", 3, ""], 3), (EQ, ["", "", "", 22, "", ""], 1)])
    assert [each.changed for each in tried] == [4, 1]
    assert opened.actions() == []


@pytest.mark.parametrize(
    ("rops", "rvals", "risk", "says"),
    [
        (["leq", *EQ[1:]], ["10.0.0.5", "", "", "", "", ""], 1, "addresses have no order"),
        (["ge", *EQ[1:]], ["10.0.0.5", "", "", "", "", ""], 1, "use eq or leq"),
        (EQ, ["abc", "", "", "", "", ""], 1, "is not an address or network"),
        (EQ, ["", "", "x", "", "", ""], 1, "is not a whole number"),
        (EQ, ["", "", "1"], 1, "a rule needs 6 operations"),
        (EQ[:5], [""] * 6, 1, "a rule needs 6 operations"),
        (EQ, ["", "", "1", "", "", ""], 0, "severity"),
        (EQ, ["", "", "1", "", "", ""], 4, "severity"),
    ],
)
def test_what_is_no_rule_is_refused(
    flow: Settings, rops: Sequence[str], rvals: Sequence[Any], risk: int, says: str
) -> None:
    opened = day(flow)
    with pytest.raises(UsageError, match=says):
        opened.apply_rules(rops, rvals, risk)
    assert opened.actions() == []


def test_rules_are_of_flows(settings: Settings) -> None:
    publish(settings, "proxy", [{}])
    with pytest.raises(UsageError, match="rows of proxy have no column ipkt"):
        day(settings, "proxy").apply_rules(EQ, ["", "", "", "", 3, ""], 3)


def test_more_than_twenty_others_are_many(settings: Settings) -> None:
    many = [{"srcip": "10.0.0.1", "dstip": f"192.0.2.{n}"} for n in range(21)]
    twenty = [{"srcip": "10.0.0.2", "dstip": f"192.0.2.{n % 20}"} for n in range(500)]
    itself = [{"srcip": "10.0.0.3", "dstip": f"192.0.2.{n}"} for n in range(20)]
    itself += [{"srcip": "10.0.0.3", "dstip": other} for other in ("10.0.0.3", None)]
    publish(settings, "flow", [*many, *many[:1], *twenty, *itself])
    opened = day(settings)
    opened.label("ip", {"ip": "10.0.0.1"}, 3)
    found = [str(each) for each in opened.attack_heuristics()]
    assert found == ["10.0.0.1 connects to 21 others (22 connections)"]
    assert len(opened.attack_heuristics(19)) == 3
