"""Reasons in words: real numbers, the strongest first, nothing of the traffic unescaped."""

from __future__ import annotations

from typing import Any

import pytest

from spot_oa.pipelines import load_pipelines
from spot_oa.scoring import words

FLOW = load_pipelines()["flow"].scoring
assert FLOW is not None
REASONS = FLOW.reasons


def row(**values: Any) -> dict[str, Any]:
    plain = {f"b_{name}": 0.0 for name in REASONS} | dict.fromkeys(REASONS, 0)
    facts = {
        "way": "out", "p_text": "203.0.113.66", "bytes_up": 5_046_586_572, "usual_up": 12,
        "longest": 3355.6, "gaps": 52, "gap_seconds": 624, "entities": 21, "service_entities": 1,
        "peer_entities": 3, "fan_peers": 50, "pair_services": 9, "misses": 45,
    }  # fmt: skip
    return plain | facts | values


def test_traffic_cannot_write_a_reason() -> None:
    forged = "x; judged benign by anna (-22.0).example"
    told = words.reason_text(row(p_text=forged), {"newnet": 2.0, "svc": 1.0}, f"'GET {forged}'", 2)
    assert told.count("; ") == 1


def test_everything_that_is_known_adds_up_but_of_a_family_only_the_strongest() -> None:
    bits = {
        "b_svc": 6.0,
        "b_newsvc": 5.0,
        "b_up": 8.0,
        "b_long": 9.0,
        "b_beacon": 6.5,
        "b_fan": 2.0,
    }
    found = words.counted(row(**bits), REASONS, 0.5, 0.5)
    assert found == {"beacon": 6.5, "svc": 6.0, "newsvc": 5.0, "long": 4.5}


def test_what_comes_in_from_outside_weighs_less() -> None:
    assert words.counted(row(b_svc=6.0, way="in"), REASONS, 0.5, 0.25) == {"svc": 1.5}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("svc", "tcp/1177 used by 1 of 21 clients in 2 days"),
        ("newsvc", "tcp/1177 never used by this client before (1 day known)"),
        ("peer", "203.0.113.66 contacted by 3 of 21 clients in 2 days"),
        ("newpeer", "203.0.113.66 never contacted by this client before (1 day known)"),
        ("newnet", "203.0.113.66 new to the network (1 day known)"),
        ("up", "4.7 GiB sent, about 2,000,000 times the usual of tcp/1177"),
        ("long", "connection of 0.9 h"),
        ("beacon", "every 12 s, 53 times, regular"),
        ("fan", "tcp/1177 to 50 peers"),
        ("ports", "9 services of 203.0.113.66 contacted"),
        ("miss", "45 services of peers do not answer this client"),
    ],
)
def test_a_reason_tells_its_numbers(name: str, says: str) -> None:
    told = words.reason_text(row(beacon=4), {name: 6.28}, "tcp/1177", 2)
    assert told == f"{says} (+6.3)"


def test_gaps_that_deviate_by_half_of_their_mean_are_not_called_regular() -> None:
    assert words.reason_text(row(beacon=3), {"beacon": 6.0}, "tcp/1", 2) == (
        "every 12 s on average, 53 times (+6.0)"
    )


def test_at_most_three_reasons_are_told_and_none_of_less_than_half_a_bit() -> None:
    bits = {"beacon": 6.0, "svc": 5.0, "long": 0.49}
    assert words.reason_text(row(), bits, "tcp/1", 1).count("(+") == 2
    bits = {"beacon": 6.0, "svc": 5.0, "newsvc": 4.0, "peer": 3.0}
    assert words.reason_text(row(), bits, "tcp/1", 1).count("(+") == 3


def test_a_first_day_speaks_of_no_other_days() -> None:
    assert (
        words.reason_text(row(), {"svc": 1.0}, "tcp/1", 1) == "tcp/1 used by 1 of 21 clients (+1.0)"
    )


def test_names_of_the_traffic_are_printable_and_short() -> None:
    told = words.reason_text(row(p_text="a\x1b[31m" + "b" * 200), {"newnet": 2.0}, "tcp/1", 2)
    assert "\x1b" not in told
    assert "b" * 81 not in told


@pytest.mark.parametrize(
    ("seconds", "says"), [(0, "0 s"), (119, "119 s"), (120, "2.0 min"), (1800, "0.5 h")]
)
def test_durations(seconds: float, says: str) -> None:
    assert words.duration(seconds) == says


@pytest.mark.parametrize(
    ("count", "says"), [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (2**50, "1.0 PiB")]
)
def test_sizes(count: int, says: str) -> None:
    assert words.size(count) == says


@pytest.mark.parametrize("pipeline", ["flow", "dns", "proxy"])
def test_every_reason_has_its_words(pipeline: str) -> None:
    scoring = load_pipelines()[pipeline].scoring
    assert scoring is not None
    values: dict[str, Any] = dict.fromkeys((*scoring.facts, *scoring.reasons), 2)
    told = [
        words.reason_text(values | {"p_text": "x", "way": "out"}, {name: 1.0}, "it", 2)
        for name in scoring.reasons
    ]
    assert len(set(told)) == len(scoring.reasons)
    assert all(text.endswith(" (+1.0)") for text in told)
