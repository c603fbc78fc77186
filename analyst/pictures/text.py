"""Text in pictures and pages: inert, short enough, and numbers with units."""

from __future__ import annotations

import hashlib
import html

from spot_oa.errors import printable

WHOLE = 300
"""The most characters of a value in a title or a key."""

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_KILO = 1000
_TENS = 99.95
_BAD = "▲ "
NONE = "\N{EN DASH}"
"""What stands for no value."""


def t(text: object) -> str:
    """Any text as text of HTML or XML, also inside of an attribute's quotes."""
    return html.escape(printable(text), quote=True)


def cut(text: object, length: int) -> str:
    """Text of at most so many characters, without its middle: the ends of a name tell more."""
    shown = printable(text)
    if len(shown) <= length:
        return shown
    head = (length - 1) // 2
    return f"{shown[:head]}…{shown[len(shown) - (length - 1 - head) :]}"


def key(text: object) -> str:
    """What names a value in a page: its text, or for a long one the ends of it and a hash."""
    shown = printable(text)
    if len(shown) <= WHOLE:
        return shown
    return f"{cut(shown, WHOLE)}#{hashlib.sha256(shown.encode()).hexdigest()[:8]}"


def bad(text: str, known: bool) -> str:
    """Text with the sign of what is known bad in front of it, if it is."""
    return _BAD + text if known else text


def size(count: float | None) -> str:
    """Bytes with a unit, three digits or so: `82.3 MB`."""
    if count is None:
        return NONE
    value, unit = float(count), 0
    while abs(value) >= _KILO and unit < len(_UNITS) - 1:
        value, unit = value / _KILO, unit + 1
    whole = unit == 0 or abs(value) >= _TENS
    return f"{value:.0f} {_UNITS[unit]}" if whole else f"{value:.1f} {_UNITS[unit]}"


def number(count: float | None) -> str:
    """A count: `12,345`."""
    return NONE if count is None else f"{count:,.0f}"


def many(count: int, one: str, more: str = "") -> str:
    """A count and its noun: `1 peer`, `2 peers`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def clock(minute: int) -> str:
    """A minute of the day: `07:05`."""
    return f"{minute // 60:02}:{minute % 60:02}"
