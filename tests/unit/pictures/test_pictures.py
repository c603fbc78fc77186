"""Every picture, over frames of every size and hostile text."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from unicodedata import east_asian_width

import pandas as pd
import pytest

from analyst.pictures import (
    Band,
    branches,
    chord,
    gaps,
    month,
    network,
    places,
    scores,
    timeline,
    tree,
    worldmap,
)
from analyst.pictures.notebook import Picture
from analyst.pictures.svg import style
from analyst.pictures.text import NONE, key, size
from tests.support.colours import contrast, mixed
from tests.support.hostile import hostile_texts
from tests.support.markup import HOSTILE
from tests.support.project import PROJECT

SVG = "{http://www.w3.org/2000/svg}"
_ELEMENTS = ("svg", "g", "path", "line", "rect", "circle", "text", "title")
ALLOWED = {
    f"{SVG}{name}" for name in ["svg", "g", "path", "line", "rect", "circle", "text", "title"]
}
HUB = "10.3.0.34"
SIZES = (0, 1, 2, 28, 29, 500)
DATE = dt.date(2016, 7, 8)


def names(count: int) -> list[str]:
    return [f"198.18.{place // 250}.{place % 250}" for place in range(count)]


def chords(peers: list[str]) -> pd.DataFrame:
    """The hub sends to each and every third answers."""
    rows = [(HUB, HUB, peer, 1000 * place + 7) for place, peer in enumerate(peers)]
    rows += [(HUB, peer, HUB, 10 * place + 1) for place, peer in enumerate(peers) if place % 3 == 0]
    return pd.DataFrame(rows, columns=["ip_threat", "srcip", "dstip", "ibyt"])


def connections(peers: list[str]) -> pd.DataFrame:
    rows = [(HUB, peer, 1, 0) for peer in peers]
    return pd.DataFrame(rows, columns=["srcip", "dstip", "srcip_internal", "destip_internal"])


def summary(counts: dict[int, int]) -> pd.DataFrame:
    return pd.DataFrame(
        [(f"2016-07-08 {m // 60:02}:{m % 60:02}", total) for m, total in sorted(counts.items())],
        columns=["tdate", "total"],
    )


def marked(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "minute": [place * 7 % 1440 for place in range(count)],
            "known_bad": [place % 4 == 0 for place in range(count)],
            "score": [10.0 ** -(place % 12) for place in range(count)],
        }
    )


def the_tree(texts: list[str]) -> str:
    frame = pd.DataFrame({"ip_dst": [HUB] * len(texts), "dns_qry_name": texts})
    domain: Callable[[str], str] = lambda name: ".".join(name.split(".")[-2:])  # noqa: E731
    return tree(frame, HUB, set(texts[::2]), domain, set(texts[:1]))


def the_places(texts: list[str]) -> str:
    counts = list(range(len(texts)))
    return places(pd.DataFrame({"place": texts, "ends": counts, "known_bad": counts}))


def outside(texts: list[str]) -> pd.DataFrame:
    """An address in each of a lot of places, every fifth known bad."""
    rows = [
        (name, f"at {name}", place % 140 - 56.0, place % 360 - 180.0, place, int(place % 5 == 0))
        for place, name in enumerate(texts)
    ]
    columns = ["ip", "place", "latitude", "longitude", "ends", "known_bad"]
    return pd.DataFrame(rows, columns=columns)


def the_month(texts: list[str]) -> str:
    row = {"received": 5, "suspicious": 3, "known_bad": 1, "gap_minutes": 9}
    days = [{"date": DATE - dt.timedelta(days=place), **row} for place in range(len(texts))]
    return month({text: pd.DataFrame(days) for text in texts[:5]}, DATE)


def the_timeline(texts: list[str]) -> str:
    received = summary({place % 1440: 3 for place in range(len(texts))})
    return timeline([Band(text, received, marked(len(texts))) for text in texts[:40]])


def the_branches(texts: list[str]) -> str:
    rows = [
        ("one", None, 0),
        *(("one" if n % 3 else text, text, n) for n, text in enumerate(texts)),
    ]
    return branches(pd.DataFrame(rows, columns=["branch", "leaf", "total"]), HUB, "peer")


PICTURES: dict[str, Callable[[list[str]], str]] = {
    "chord": lambda texts: chord(chords(texts), HUB, set(texts[:1])),
    "branches": the_branches,
    "tree": the_tree,
    "timeline": the_timeline,
    "network": lambda texts: network(connections(texts), set(texts[:1])),
    "places": the_places,
    "scores": lambda texts: scores({text: marked(len(texts)) for text in texts[:40]}),
    "month": the_month,
    "worldmap": lambda texts: worldmap(outside(texts)),
}


def parsed(svg: str) -> ET.Element:
    """The picture, which must be XML of the few elements and attributes that do nothing."""
    root = ET.fromstring(svg)
    for element in root.iter():
        assert element.tag in ALLOWED
        for name in element.attrib:
            assert not name.lower().startswith("on")
            assert name.lower() not in {"href", "style", "src", "xlink:href", "filter", "mask"}
    return root


def titles(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter(f"{SVG}title")]


def texts_of(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("kind", PICTURES)
def test_every_size_is_a_picture_with_one_tab_stop_and_a_name_for_each_mark(
    kind: str, count: int
) -> None:
    root = parsed(PICTURES[kind](names(count)))
    marks = [each for each in root.iter(f"{SVG}g") if each.get("role") == "img"]
    assert root.get("tabindex") == "0"
    assert root.get("aria-label")
    assert all(each.get("tabindex") == "-1" for each in marks)
    assert all(each.get("aria-label") for each in marks)
    assert [each.get("aria-label") for each in marks] == [
        title.text for each in marks for title in each.findall(f"{SVG}title")
    ]
    if count > 2:
        assert marks


@pytest.mark.parametrize("kind", PICTURES)
def test_hostile_text_is_text(kind: str) -> None:
    draw = PICTURES[kind]
    texts = [*HOSTILE, *hostile_texts()]
    parsed(draw(texts))
    for text in texts:
        svg = draw([text, "198.18.0.1", "198.18.0.2"])
        parsed(svg)
        assert "\u202e" not in svg
        # A title holds a long text as far as it is told; nothing holds all of it.
        assert "x" * 400 not in svg


@pytest.mark.parametrize("kind", PICTURES)
def test_a_value_that_is_missing_is_no_error(kind: str) -> None:
    empty = pd.DataFrame()
    drawn = {
        "chord": lambda: chord(empty, HUB),
        "branches": lambda: branches(empty, HUB, "peer"),
        "tree": lambda: tree(empty, HUB, set(), str),
        "timeline": lambda: timeline([Band("flow", empty, empty)]),
        "network": lambda: network(empty),
        "places": lambda: places(empty),
        "scores": lambda: scores({"flow": empty}),
        "month": lambda: month({"flow": empty}, DATE),
        "worldmap": lambda: worldmap(empty),
    }
    parsed(drawn[kind]())


def test_equal_frames_give_equal_bytes_whatever_the_hash_seed() -> None:
    code = (
        "import hashlib; from tests.unit.pictures.test_pictures import *;"
        "print(hashlib.sha256(''.join(draw(names(60)) for draw in PICTURES.values()).encode())"
        ".hexdigest())"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=PROJECT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1


def test_a_chord_of_many_sums_up_the_others() -> None:
    frame = chords(names(500))
    told = titles(chord(frame, HUB))
    assert len(told) == 28
    assert told[-1].startswith("473 others")
    assert "473 others" in texts_of(chord(frame, HUB))[-3:]


def _told_bytes(monkeypatch: pytest.MonkeyPatch, frame: pd.DataFrame) -> tuple[int, int]:
    """The bytes of all lines, told without rounding."""
    module = sys.modules["analyst.pictures.chord"]
    monkeypatch.setattr(module, "size", lambda count: str(count or 0))
    found = [
        re.search(r": sent (\d+), received (\d+)$", title) for title in titles(chord(frame, HUB))
    ]
    pairs = [(int(each[1]), int(each[2])) for each in found if each]
    return sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)


@pytest.mark.parametrize("count", SIZES)
def test_the_lines_of_a_chord_add_up(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    frame = chords(names(count))
    sent = int(frame[frame["srcip"] == HUB]["ibyt"].sum())
    received = int(frame[frame["dstip"] == HUB]["ibyt"].sum())
    assert _told_bytes(monkeypatch, frame) == (sent, received)


def test_a_known_bad_peer_has_a_line_however_little_it_sends() -> None:
    frame = chords(names(500))
    least = "198.18.0.0"
    assert "198.18.0.0" not in " ".join(titles(chord(frame, HUB)))
    svg = chord(frame, HUB, {least})
    assert titles(svg)[0].startswith("▲ 198.18.0.0: ")
    assert "▲ 198.18.0.0" in texts_of(svg)


def test_more_known_bad_peers_than_lines_are_told_in_the_last() -> None:
    svg = chord(chords(names(40)), HUB, set(names(40)))
    assert titles(svg)[-1].startswith("▲ 13 others, 13 known bad: ")


def test_a_chord_says_if_there_is_nobody_and_an_address_is_no_peer_of_itself() -> None:
    row = (HUB, HUB, HUB, 5)
    alone = pd.DataFrame([row], columns=["ip_threat", "srcip", "dstip", "ibyt"])
    assert "no peers" in texts_of(chord(alone, HUB))
    assert titles(chord(alone, HUB)) == []
    one = pd.concat([alone, chords(names(1))])
    assert any(text.startswith("1 peer · ") for text in texts_of(chord(one, HUB)))


@pytest.mark.parametrize(
    "name",
    [
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:0db8:ffff:ffff:ffff:ffff:255.255.255.255",
        "x" * 2000,
        "\N{CJK UNIFIED IDEOGRAPH-4F8B}" * 30,
    ],
)
def test_a_long_label_leaves_the_byte_columns_alone(name: str) -> None:
    svg = chord(chords([name]), HUB, {name})
    shown = next(text for text in texts_of(svg) if text.startswith("▲ "))
    # 292 to 440 are the name's; a bold letter of 11 px is no wider than 6.2 on average.
    assert sum(2 if east_asian_width(sign) == "W" else 1 for sign in shown) <= 24
    assert name in titles(svg)[0] or len(titles(svg)[0]) == 300


def test_the_names_of_a_domain_are_counted() -> None:
    asked = [f"{place:03}.t.example.net" for place in range(246)]
    svg = the_tree_of(asked, suspicious=asked[:45])
    assert any("example.net (246)" in text for text in texts_of(svg))
    assert "and 242 more, 41 of them suspicious" in texts_of(svg)


def the_tree_of(asked: list[str], suspicious: list[str]) -> str:
    frame = pd.DataFrame({"ip_dst": HUB, "dns_qry_name": asked})
    return tree(frame, HUB, set(suspicious), lambda name: ".".join(name.split(".")[-2:]))


def test_domains_with_suspicious_names_come_first_and_at_most_twelve() -> None:
    asked = [f"www.d{place:02}.example" for place in range(20)]
    told = titles(the_tree_of(asked, suspicious=asked[-1:]))
    assert told[0] == "d19.example: 1 name, 1 suspicious"
    assert sum("suspicious" in each for each in told) == 12
    assert "and 8 more domains with 8 names" in texts_of(the_tree_of(asked, suspicious=[]))


def test_a_domain_that_is_its_only_name_has_a_line_of_its_own() -> None:
    asked = ["www.a.example", *(f"d{place:02}.example" for place in range(20))]
    lines = [each.get("y") for each in parsed(the_tree_of(asked, [])).iter(f"{SVG}text")][2:]
    # Eleven domains and what is left out, each beside a place of its own, and one leaf.
    assert len(lines) == 12 + 1 + 1
    assert len(set(lines)) == 13


STEADY = dict.fromkeys(range(1440), 10)


def without(counts: dict[int, int], start: int, end: int) -> dict[int, int]:
    return {minute: total for minute, total in counts.items() if not start <= minute < end}


BURSTS = {hour * 60 + 5: 60 for hour in range(24)}


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        (STEADY, []),
        (without(STEADY, 600, 612), ["10:00 to 10:12 (12 minutes)"]),
        (without(STEADY, 600, 602), []),
        (without(STEADY, 0, 360), ["00:00 to 06:00 (360 minutes)"]),
        (without(STEADY, 0, 840), ["00:00 to 14:00 (840 minutes)"]),
        (without(STEADY, 1380, 1440), ["23:00 to 24:00 (60 minutes)"]),
        (BURSTS, []),
        (without(BURSTS, 480, 660), ["07:06 to 11:05 (239 minutes)"]),
        ({100: 1, 900: 1}, []),
        ({}, []),
        (
            without(dict.fromkeys(range(480, 720), 5), 600, 612),
            [
                "00:00 to 08:00 (480 minutes)",
                "10:00 to 10:12 (12 minutes)",
                "12:00 to 24:00 (720 minutes)",
            ],
        ),
        (without(dict.fromkeys(range(1440), 1), 600, 612), ["10:00 to 10:12 (12 minutes)"]),
        (dict.fromkeys(range(0, 1440, 180), 1), []),
    ],
)
def test_gaps_are_judged_by_the_pace_of_the_source(
    counts: dict[int, int], found: list[str]
) -> None:
    assert list(map(str, gaps(summary(counts)))) == found


def test_a_band_has_all_events_and_those_at_the_ends_of_the_day_are_inside() -> None:
    events = pd.DataFrame({"minute": [0, 1439, None], "known_bad": [False, True, False]})
    svg = timeline([Band("flow", summary({0: 3, 1439: 4}), events)])
    assert "flow: 7 events received" in titles(svg)
    assert "flow 00:00 to 00:05: 1 suspicious event" in titles(svg)
    assert "▲ flow 23:55 to 24:00: 1 known bad event" in titles(svg)
    assert "1 event without a time" in texts_of(svg)
    wide = float(parsed(svg).get("width") or 0)
    for rect in parsed(svg).iter(f"{SVG}rect"):
        assert 96 <= float(rect.get("x") or 0) <= wide - 12 - float(rect.get("width") or 0)


def _numbers(svg: str) -> dict[str, int]:
    foot = texts_of(svg)[-1]
    kinds = ("pairs? drawn", "lone pairs? not drawn", "more peers? at hubs", "pairs? beyond")
    found = {kind: re.search(rf"([\d,]+) {kind}", foot) for kind in kinds}
    return {kind: int(each[1].replace(",", "")) for kind, each in found.items() if each}


@pytest.mark.parametrize(
    ("pairs", "count", "inside"),
    [
        ([(HUB, peer) for peer in names(328)], 328, 1),
        ([(f"10.0.0.{n}", f"198.18.0.{n}") for n in range(50)], 50, 1),
        ([(f"10.0.{n % 50}.1", f"198.18.{n // 50}.1") for n in range(5000)], 5000, 1),
        ([(f"10.0.{n % 500}.1", f"198.18.{n * 7 % 999}.1") for n in range(5000)], 5000, 1),
        ([(f"10.0.{n}.1", f"198.18.{n + k}.1") for n in range(230) for k in (0, 1)], 460, 1),
        ([("a", "b"), ("b", "a"), ("a", "c"), ("a", "a")], 2, 0),
    ],
)
def test_every_pair_of_the_network_is_drawn_or_counted(
    pairs: list[tuple[str, str]], count: int, inside: int
) -> None:
    frame = pd.DataFrame(
        [(one, other, inside, 0) for one, other in pairs],
        columns=["srcip", "dstip", "srcip_internal", "destip_internal"],
    )
    begin = time.process_time()
    svg = network(frame, {"198.18.0.3"})
    assert time.process_time() - begin < 4
    undirected = {frozenset(pair) for pair in pairs if pair[0] != pair[1]}
    assert sum(_numbers(svg).values()) == len(undirected) == count
    (edges,) = (each for each in parsed(svg).iter(f"{SVG}path") if each.get("class") == "edge")
    assert edges.get("d", "").count("M") == _numbers(svg)["pairs? drawn"]
    circles = {each.get("data-k") for each in parsed(svg).iter(f"{SVG}g")}
    assert len(circles) <= 400
    assert svg == network(frame, {"198.18.0.3"})


def test_a_hub_says_how_many_peers_are_not_drawn_and_a_known_bad_one_always_is() -> None:
    peers = names(328)
    svg = network(connections(peers), {peers[-1]})
    assert f"{HUB} and 303 more peers" in texts_of(svg)
    assert any(title.startswith(f"▲ {peers[-1]}") for title in titles(svg))


def test_the_addresses_of_a_place_are_one_spot_and_those_without_one_are_counted() -> None:
    rows = [
        ("198.18.0.1", "Zenda", 52.52, 13.4, 4, 0),
        ("198.18.0.2", "", 52.5, 13.4, 2, 1),
        ("198.18.0.3", "Molsen", -33.0, 151.0, 1, 0),
        ("198.18.0.4", "", None, None, 1, 0),
        ("198.18.0.5", "", 91.0, 0.0, 1, 0),
    ]
    columns = ["ip", "place", "latitude", "longitude", "ends", "known_bad"]
    svg = worldmap(pd.DataFrame(rows, columns=columns))
    assert titles(svg) == [
        "Molsen: 198.18.0.3, 1 suspicious end",
        "▲ Zenda: ▲ 198.18.0.2, 198.18.0.1, 6 suspicious ends",
    ]
    assert "2 addresses without a position" in texts_of(svg)
    (east,) = (each for each in parsed(svg).iter(f"{SVG}circle"))
    assert float(str(east.get("cx"))) == pytest.approx((151 + 180) * 1120 / 360, abs=0.1)


def test_the_map_draws_the_worst_spots_and_says_how_many_are_left() -> None:
    rows = [
        (str(place), "", place % 90, place // 90, place, int(place == 0)) for place in range(450)
    ]
    columns = ["ip", "place", "latitude", "longitude", "ends", "known_bad"]
    svg = worldmap(pd.DataFrame(rows, columns=columns))
    assert len(titles(svg)) == 400
    assert "50 more places not drawn" in texts_of(svg)
    assert any(told.startswith("▲") for told in titles(svg))


def test_scores_count_all_and_those_that_have_no_logarithm() -> None:
    frame = pd.DataFrame(
        {"score": [1e-9, 1e-9, 1e-3, 0.0, None, float("inf")], "known_bad": [True, *[False] * 5]}
    )
    svg = scores({"flow": frame})
    told = [re.search(r"flow: (\d+) (suspicious|known bad)", title) for title in titles(svg)]
    assert sum(int(each[1]) for each in told if each) == 4
    assert "2 of 0 or none" in texts_of(svg)


def test_the_month_marks_days_that_are_missing_since_the_first() -> None:
    row = {"received": 5, "suspicious": 3, "known_bad": 1, "gap_minutes": 0}
    frame = pd.DataFrame([{"date": dt.date(2016, 7, day), **row} for day in (5, 8)])
    told = titles(month({"flow": frame}, DATE))
    missing = [title for title in told if "not published" in title]
    assert missing == ["flow 2016-07-06: not published", "flow 2016-07-07: not published"]
    assert len(told) == 4


@pytest.mark.parametrize("kind", PICTURES)
def test_known_bad_is_never_told_by_colour_alone(kind: str) -> None:
    for element in parsed(PICTURES[kind](names(9))).iter(f"{SVG}g"):
        told = element.get("aria-label") or ""
        if any("bad" in (each.get("class") or "").split() for each in element.iter()):
            assert told.startswith("▲ ")
            # Its shape or place is another too: a triangle, a row or side of its own, or the sign.
            shown = "".join(each.text or "" for each in element.iter(f"{SVG}text"))
            of_its_own = kind in ("timeline", "scores", "month")
            triangle = any("Z" in (each.get("d") or "") for each in element.iter(f"{SVG}path"))
            assert of_its_own or triangle or "▲" in shown


def _colours() -> dict[str, dict[str, str]]:
    light, dark, _ = re.findall(r"\.soa\{(--[^}]*)\}", style())
    return {
        name: dict(re.findall(r"--([a-z]+):(#[0-9a-f]{3,6})", text))
        for name, text in (("light", light), ("dark", dark))
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_marks_stand_out_from_the_card(theme: str) -> None:
    colours = _colours()[theme]
    for name in ("ink", "dim", "bad"):
        assert contrast(colours[name], colours["card"]) >= 4.5, name
    for name in ("in", "out", "bad", "area", "rim", "axis", "gap"):
        assert contrast(colours[name], colours["card"]) >= 3, name
    # What lies behind shines through these.
    for css, opacity in re.findall(r"\.(\w+)\{[^}]*?-opacity:([\d.]+)", style()):
        for name in {"ribbon": ("in", "out"), "node": ("in", "out", "bad")}[css]:
            seen = mixed(colours[name], colours["card"], float(opacity))
            assert contrast(seen, colours["card"]) >= 3, (css, name)


def test_sizes_have_units() -> None:
    counts = (None, 0, 999, 1000, 82_254_818, 99_960_000, 6 * 10**9, 10**20)
    told = [NONE, "0 B", "999 B", "1.0 kB", "82.3 MB", "100 MB", "6.0 GB", "100 EB"]
    assert list(map(size, counts)) == told


def test_keys_of_long_values_differ() -> None:
    one, other = "x" * 150 + "a" + "x" * 300, "x" * 150 + "b" + "x" * 300
    assert key(one) != key(other)
    assert key("10.0.0.1") == "10.0.0.1"


def test_all_branches_are_drawn_and_their_leaves_are_summed_up() -> None:
    rows = [("in", None, 0), ("out", None, 0), *(("out", f"leaf {n}", n + 1) for n in range(20))]
    svg = branches(pd.DataFrame(rows, columns=["branch", "leaf", "total"]), HUB, "peer")
    shown = texts_of(svg)
    assert {"in: 0", "out: 210", "leaf 19", "and 13 more"} <= set(shown)
    assert "210 peers" in shown
    counts = [title for title in titles(svg) if title.startswith(("leaf", "and"))]
    assert sum(int(each.rpartition(": ")[2].split()[0]) for each in counts) == 210


def test_an_address_alone_has_no_pace_and_so_no_gaps() -> None:
    received = summary(dict.fromkeys([*range(300), *range(900, 1440)], 5))
    source = timeline([Band("a", received, marked(0))])
    assert "nothing received" in source
    assert "nothing received" not in timeline([Band("a", received, marked(0), steady=False)])


def test_a_picture_in_a_notebook_is_as_dark_as_the_notebook() -> None:
    shown = Picture(the_tree(names(3)))._repr_mimebundle_()["text/html"]
    assert 'class="soa mathjax_ignore"' in shown
    assert "prefers-color-scheme" not in shown
    assert "[data-jp-theme-light=false] .soa{--ink:#e6edf3" in shown


def test_a_picture_is_saved_as_a_file_of_its_own(tmp_path: Path) -> None:
    path = Picture(the_tree(names(3))).save(tmp_path / "x.svg")
    text = path.read_text("utf-8")
    assert ET.fromstring(text).find(f"{SVG}style") is not None
    assert "--ink" in text
