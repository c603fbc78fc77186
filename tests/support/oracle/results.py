"""The expected rows of a results file."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# name: (type, needed)
FIELDS = {
    "flow": {
        "treceived": ("text", True),
        "tryear": ("int", False),
        "trmonth": ("int", False),
        "trday": ("int", False),
        "trhour": ("int", False),
        "trminute": ("int", False),
        "trsec": ("int", False),
        "tdur": ("double", False),
        "sip": ("text", True),
        "dip": ("text", True),
        "sport": ("int", False),
        "dport": ("int", False),
        "proto": ("text", False),
        "ipkt": ("bigint", False),
        "ibyt": ("bigint", False),
        "opkt": ("bigint", False),
        "obyt": ("bigint", False),
        "score": ("double", True),
    },
    "proxy": {
        "p_date": ("text", True),
        "p_time": ("text", True),
        "clientip": ("text", True),
        "host": ("text", False),
        "reqmethod": ("text", False),
        "useragent": ("text", False),
        "resconttype": ("text", False),
        "duration": ("int", False),
        "username": ("text", False),
        "webcat": ("text", False),
        "referer": ("text", False),
        "respcode": ("text", False),
        "uriport": ("text", False),
        "uripath": ("text", False),
        "uriquery": ("text", False),
        "serverip": ("text", False),
        "scbytes": ("bigint", False),
        "csbytes": ("bigint", False),
        "fulluri": ("text", True),
        "word": ("text", False),
        "score": ("double", True),
    },
    "dns": {
        "frame_time": ("text", False),
        "unix_tstamp": ("bigint", True),
        "frame_len": ("bigint", False),
        "ip_dst": ("text", True),
        "dns_qry_name": ("text", True),
        "dns_qry_class": ("text", False),
        "dns_qry_type": ("int", False),
        "dns_qry_rcode": ("int", False),
        "score": ("double", True),
    },
}

BOM = b"\xef\xbb\xbf"
BITS = {"int": 31, "bigint": 63}


@dataclass
class Landed:
    """The accepted rows, and the problems found."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[tuple[int, str]] = field(default_factory=list)
    """Line number, from 1, and the line."""
    bad_values: Counter[str] = field(default_factory=Counter)
    invalid_utf8: int = 0
    sha256: str = ""


def number(text: str, kind: str) -> int | float | None:
    """Parse a number as Java prints it; None if invalid or out of the type's range."""
    text = text.strip(" \t\r\n\f\v")
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return None
    if kind == "double":
        return float(text) if math.isfinite(float(text)) else None
    if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", text):
        whole = int(text.partition(".")[0])
    elif math.isfinite(float(text)):
        whole = math.trunc(float(text))
    else:
        return None
    return whole if -(1 << BITS[kind]) <= whole < 1 << BITS[kind] else None


def take(pipeline: str, data: bytes, limit: int) -> Landed:
    """Return the first `limit` good lines, and stop reading."""
    fields = FIELDS[pipeline]
    landed = Landed()
    read = len(BOM) if limit and data.startswith(BOM) else 0
    while len(landed.rows) < limit and read < len(data):
        end = data.find(b"\n", read)
        end = len(data) if end < 0 else end + 1
        line, read = data[read:end].removesuffix(b"\n").removesuffix(b"\r"), end
        _line(landed, fields, line)
    landed.sha256 = hashlib.sha256(data[:read]).hexdigest()
    return landed


def _line(landed: Landed, fields: dict[str, tuple[str, bool]], line: bytes) -> None:
    line_no = len(landed.rows) + len(landed.rejects) + 1
    text = line.decode("utf-8", "backslashreplace")
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        landed.invalid_utf8 += 1
    values = text.split("\t")
    if len(values) != len(fields):
        landed.rejects.append((line_no, text))
        return
    row: dict[str, Any] = {}
    bad = []
    for (name, (kind, needed)), value in zip(fields.items(), values, strict=True):
        if value == "null":
            row[name] = None
        elif kind == "text":
            row[name] = value
        else:
            row[name] = number(value, kind)
            if row[name] is None:
                bad.append(name)
        if needed and row[name] in (None, ""):
            landed.rejects.append((line_no, text))
            return
    landed.bad_values.update(bad)
    landed.rows.append({**row, "rank": len(landed.rows), "line_no": line_no})
