"""The SVG elements that pictures use: svg, g, path, line, rect, circle, text, title."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from analyst.pictures.text import WHOLE, cut, key, t


@cache
def style() -> str:
    """Return the style sheet of pictures, light and dark."""
    return (Path(__file__).parent / "static" / "pictures.css").read_text("utf-8")


def picture(kind: str, width: float, height: float, label: str, parts: Iterable[str]) -> str:
    """Return a complete picture.

    Args:
        kind: The class by which a page identifies the picture.
        width: The width in pixels, if there is room.
        height: The height in pixels.
        label: The description for screen readers.
        parts: The elements, in painting order.
    """
    # The picture is one tab stop. Arrow keys move among its marks.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="soa {kind}" role="group" tabindex="0" '
        f'width="{n(width)}" height="{n(height)}" viewBox="0 0 {n(width)} {n(height)}" '
        f'aria-label="{t(cut(label, WHOLE))}">{"".join(parts)}</svg>'
    )


def mark(label: str, body: str, *, css: str = "", pick: object = None) -> str:
    """Return a labelled group; `pick` is the value that it selects when clicked."""
    shown = t(cut(label, WHOLE))
    picked = "" if pick is None else f' data-k="{t(key(pick))}"'
    return (
        f'<g role="img" class="mark{css and " " + css}" tabindex="-1" aria-label="{shown}"{picked}>'
        f"<title>{shown}</title>{body}</g>"
    )


def text(x: float, y: float, shown: object, *, css: str = "", anchor: str = "") -> str:
    """Return a line of escaped text."""
    aligned = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{n(x)}" y="{n(y)}"{classed(css)}{aligned}>{t(shown)}</text>'


def rect(x: float, y: float, width: float, height: float, css: str) -> str:
    """Return a rectangle."""
    return f'<rect x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}"{classed(css)}/>'


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    """Return a straight line."""
    return f'<line x1="{n(x1)}" y1="{n(y1)}" x2="{n(x2)}" y2="{n(y2)}"{classed(css)}/>'


def path(d: str, css: str) -> str:
    """Return a path of any shape."""
    return f'<path d="{d}"{classed(css)}/>'


def circle(x: float, y: float, radius: float, css: str) -> str:
    """Return a circle, the sign of an outside end."""
    return f'<circle cx="{n(x)}" cy="{n(y)}" r="{n(radius)}"{classed(css)}/>'


def diamond(x: float, y: float, radius: float, css: str) -> str:
    """Return a diamond, the sign of an inside end."""
    r = radius * 1.25
    return path(f"M{n(x - r)} {n(y)}L{n(x)} {n(y - r)}L{n(x + r)} {n(y)}L{n(x)} {n(y + r)}Z", css)


def triangle(x: float, y: float, radius: float, css: str) -> str:
    """Return a triangle, the sign of known bad."""
    r = radius * 1.35
    low = y + r * 0.75
    return path(f"M{n(x - r)} {n(low)}L{n(x)} {n(y - r)}L{n(x + r)} {n(low)}Z", css)


def classed(css: str) -> str:
    """Return a class attribute; empty without a class."""
    return f' class="{css}"' if css else ""


def n(value: float) -> str:
    """Format a coordinate, rounded to a tenth of a pixel."""
    shown = f"{value:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


def arc(x: float, y: float, radius: float, start: float, end: float) -> str:
    """Return a path along a circle between two angles (radians, 0 is right, clockwise)."""
    large = int(abs(end - start) > math.pi)
    sweep = int(end > start)
    to_x, to_y = x + radius * math.cos(end), y + radius * math.sin(end)
    return f"A{n(radius)} {n(radius)} 0 {large} {sweep} {n(to_x)} {n(to_y)}"


def bend(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a path from one branch of a tree to another, level at both ends."""
    half = n((x1 + x2) / 2)
    return f"M{n(x1)} {n(y1)}C{half} {n(y1)} {half} {n(y2)} {n(x2)} {n(y2)}"


def records(frame: pd.DataFrame, columns: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a frame with these columns only.

    Args:
        frame: Any frame.
        columns: The columns, each with its replacement for missing values.
    """
    found = []
    for name, missing in columns.items():
        given = frame[name].tolist() if name in frame.columns else [None] * len(frame)
        found.append([missing if _is_missing(value) else value for value in given])
    return list(zip(*found, strict=True))


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
