"""Names of codes, as listed by IANA (another test checks the project's own lists)."""

from __future__ import annotations

import csv
import re
from pathlib import Path

SEEDS = Path(__file__).resolve().parents[3] / "seeds"


def _names(file: str) -> dict[int, str]:
    with (SEEDS / file).open(encoding="utf-8", newline="") as source:
        return {int(row["code"]): row["name"] for row in csv.DictReader(source)}


HTTP = _names("http_status_codes.csv")
CLASSES = _names("dns_classes.csv")
TYPES = _names("dns_types.csv")
RCODES = _names("dns_rcodes.csv")


def name(names: dict[int, str], code: str | int | None) -> str:
    """Return the name; `Unknown (x)` if the code is not listed, empty without a code."""
    if code is None:
        return ""
    if code == "unknown":
        return "UNKNOWN"
    text = str(code)
    if re.fullmatch("0x[0-9a-fA-F]+", text):
        number = int(text, 16)
    elif re.fullmatch("-?[0-9]+", text):
        number = int(text)
    else:
        return f"Unknown ({text})"
    return names.get(number, f"Unknown ({text})")
