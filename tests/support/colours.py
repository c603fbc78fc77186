"""Contrast of colours, as WCAG computes it."""

from __future__ import annotations


def _parts(colour: str) -> list[int]:
    """Red, green and blue."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * each for each in colour[1:])
    return [int(digits[place : place + 2], 16) for place in (0, 2, 4)]


def _luminance(colour: str) -> float:
    parts = [part / 255 for part in _parts(colour)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours like `#fff` or `#0072b2`, from 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mixed(colour: str, behind: str, opacity: float) -> str:
    """The colour that is seen where one colour lets another shine through."""
    both = zip(_parts(colour), _parts(behind), strict=True)
    return "#" + "".join(f"{round(a * opacity + b * (1 - opacity)):02x}" for a, b in both)
