"""spot-ml's reading of a feedback file, reimplemented to check that spot-ml would accept it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any


def _int(text: str) -> int:
    number = _long(text)
    if not -(2**31) <= number < 2**31:
        raise ValueError(text)
    return number


def _long(text: str) -> int:
    # Java rejects blanks and underscores.
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ValueError(text)
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError(text)
    return number


def _tstart(text: str) -> tuple[int, ...]:
    time = text.split(" ")[1]
    hour, minute, second = (_int(part) for part in time.split(":"))
    return hour, minute, second


def _hour_of(text: str) -> int:
    return _int(re.split(" +", text)[3].split(":")[0])


READS: Mapping[str, Mapping[int, Callable[[str], Any]]] = {
    "flow": {1: _tstart, 2: str, 3: str, 4: _int, 5: _int, 6: _long, 7: _long},
    "dns": {0: _hour_of, 1: _int, 2: str, 3: str, 4: str, 5: _int, 6: _int, 17: _long},
    "proxy": {**dict.fromkeys(range(7), str), 11: str, 18: str},
}
SEVERITY = {"flow": 0, "dns": 12, "proxy": 22}


def read(pipeline: str, data: bytes) -> list[list[Any]]:
    """Return the training rows that the scorer makes from a file.

    Raises:
        Exception: The job would have died.
    """
    # Hadoop ends lines at LF, CR LF and a lone CR.
    lines = re.split("\r\n|\n|\r", data.decode())
    if lines[-1] == "":
        lines.pop()
    header = lines[0]
    rows = []
    for line in lines:
        if line == header:
            continue
        # Java's String.split drops empty fields at the end.
        fields = re.sub("\t+$", "", line).split("\t")
        if _int(fields[SEVERITY[pipeline]].strip()) == 3:
            rows.append([convert(fields[i]) for i, convert in READS[pipeline].items()])
    return rows
