"""Text in pictures and pages: escaping, shortening, and numbers with units."""

from __future__ import annotations

import hashlib
import html
from unicodedata import east_asian_width

from spot_oa.errors import printable

WHOLE = 300
"""Maximum number of characters of a value in a title or a key."""

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_KILO = 1000
_TENS = 99.95
_BAD = "▲ "
NONE = "\N{EN DASH}"
"""The sign for a missing value."""


def t(text: object) -> str:
    """Escape a text for HTML or XML, including quoted attributes."""
    return html.escape(printable(text), quote=True)


def cut(text: object, length: int) -> str:
    """Shorten a text to `length` characters by cutting its middle: the ends matter more."""
    shown = printable(text)
    if len(shown) <= length:
        return shown
    head = (length - 1) // 2
    return f"{shown[:head]}…{shown[len(shown) - (length - 1 - head) :]}"


def fitted(text: object, length: int) -> str:
    """Shorten a text to the room of `length` Latin letters; East Asian ones are twice as wide."""
    shown = printable(text)
    wide = not shown.isascii() and any(east_asian_width(sign) in "WF" for sign in shown)
    return cut(shown, length // 2 if wide else length)


def key(text: object) -> str:
    """Return the key of a value in a page: its text, or for a long text its ends and a hash."""
    shown = printable(text)
    if len(shown) <= WHOLE:
        return shown
    return f"{cut(shown, WHOLE)}#{hashlib.sha256(shown.encode()).hexdigest()[:8]}"


def bad(text: str, known: bool) -> str:
    """Return the text, with the sign of known bad in front if `known`."""
    return _BAD + text if known else text


def size(count: float | None) -> str:
    """Format bytes with a unit, with about three digits: `82.3 MB`."""
    if count is None:
        return NONE
    value, unit = float(count), 0
    while abs(value) >= _KILO and unit < len(_UNITS) - 1:
        value, unit = value / _KILO, unit + 1
    whole = unit == 0 or abs(value) >= _TENS
    return f"{value:.0f} {_UNITS[unit]}" if whole else f"{value:.1f} {_UNITS[unit]}"


def number(count: float | None) -> str:
    """Format a count: `12,345`."""
    return NONE if count is None else f"{count:,.0f}"


def many(count: int, one: str, more: str = "") -> str:
    """Format a count and its noun: `1 peer`, `2 peers`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def clock(minute: int) -> str:
    """Format a minute of the day: `07:05`."""
    return f"{minute // 60:02}:{minute % 60:02}"
