"""Draws the outside ends of suspicious connections on a world map."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from analyst.pictures.svg import circle, mark, path, picture, records, text, triangle
from analyst.pictures.text import bad, cut, many

WIDTH = 1120
NORTH, SOUTH = 84, -58
"""The range of latitudes drawn, as in land.txt, whose units are half pixels."""
SPOTS = 400
"""Maximum number of spots: known bad ones first, then those with the most suspicious ends."""
_SCALE = WIDTH / 360
_TOP = 24
_LEAST, _MOST = 3.0, 14.0
_NAMED = 4

Spot = tuple[float, float]


def worldmap(addresses: pd.DataFrame, noun: str = "suspicious end") -> str:
    """Draw a dot for every place; several addresses at one place are one dot.

    Args:
        addresses: Columns of `flow_addresses`, outside ends only: ip, place, latitude (degrees
            north), longitude (degrees east), ends (its suspicious ends), known_bad (0 or 1).
        noun: The singular noun for `ends`.
    """
    spots, unknown = _spots(addresses)
    order = sorted(spots, key=lambda spot: (not _is_bad(spots[spot]), -_ends(spots[spot]), spot))
    shown = order[:SPOTS]
    parts = [
        text(10, 13, "as far as known: a city, or the middle of a country", css="dim small"),
        f'<g transform="translate(0 {_TOP}) scale(.5)">{path(_land(), "land")}</g>',
    ]
    # Paint known bad last, so that it is on top, and small dots after large ones.
    upwards = sorted(shown, key=lambda spot: (_is_bad(spots[spot]), -_ends(spots[spot]), spot))
    parts += [_mark(spot, spots[spot], noun) for spot in upwards]
    left_out = [many(unknown, "address", "addresses") + " without a position"] if unknown else []
    if len(order) > SPOTS:
        left_out.append(f"{many(len(order) - SPOTS, 'more place')} not drawn")
    if left_out or not order:
        note = ", ".join(left_out) or "no outside address"
        parts.append(text(WIDTH - 10, 13, note, css="dim small", anchor="end"))
    height = _TOP + (NORTH - SOUTH) * _SCALE
    return picture("worldmap", WIDTH, height, f"Map: {many(len(order), 'place')}", parts)


@cache
def _land() -> str:
    return (Path(__file__).parent / "static" / "land.txt").read_text("utf-8").strip()


Address = tuple[str, str, int, bool]


def _spots(addresses: pd.DataFrame) -> tuple[dict[Spot, list[Address]], int]:
    columns = {"ip": "", "place": "", "latitude": None, "longitude": None, "ends": 1}
    spots: dict[Spot, list[Address]] = {}
    unknown = 0
    for ip, place, north, east, ends, known in records(addresses, {**columns, "known_bad": 0}):
        if north is None or east is None or abs(north) > 90 or abs(east) > 180:  # noqa: PLR2004
            unknown += 1
            continue
        spot = (round(float(north), 1), round(float(east), 1))
        spots.setdefault(spot, []).append((str(ip), str(place), int(ends), bool(known)))
    return spots, unknown


def _mark(spot: Spot, there: list[Address], noun: str) -> str:
    north, east = spot
    x = (east + 180) * _SCALE
    y = _TOP + (NORTH - min(max(north, SOUTH), NORTH)) * _SCALE
    known = _is_bad(there)
    radius = min(_LEAST + _ends(there) ** 0.5, _MOST)
    order = sorted(there, key=lambda each: (not each[3], -each[2], each[0]))
    names = ", ".join(bad(cut(ip, 40), is_bad) for ip, _, _, is_bad in order[:_NAMED])
    more = f" and {len(order) - _NAMED:,} more" if len(order) > _NAMED else ""
    place = next((place for _, place, _, _ in order if place), "no name is known")
    label = f"{cut(place, 80)}: {names}{more}, {many(_ends(there), noun)}"
    body = triangle(x, y, radius, "node bad") if known else circle(x, y, radius, "node outside")
    return mark(bad(label, known), body, pick=order[0][0] if len(order) == 1 else None)


def _ends(there: list[Address]) -> int:
    return sum(ends for _, _, ends, _ in there)


def _is_bad(there: list[Address]) -> bool:
    return any(known for _, _, _, known in there)
