"""Texts with a meaning in a shell, a terminal, SQL, Jinja, HTML or a spreadsheet."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

DATE = dt.date(2016, 10, 3)
"""The day of these texts."""
HOSTILE = [
    "plain",
    "o'brien",
    'a"b"',
    '"never closed',
    "back\\slash\\",
    "semi;colon;-- comment /* */",
    "'; drop table oa.{pipeline}_scores; --",
    "' union select * from raw.flow --",
    "{{{{ 1 / 0 }}}}{{% do exceptions.raise_compiler_error('x') %}}{{# #}}",
    "$(touch {marker})`touch {marker}`; touch {marker} | touch {marker}",
    "../../../../../../..{marker}",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(1)",
    "\x1b[31mred\x1b]0;title\x07\x9b2J",
    "[bold red]markup[/]",
    "\u202eright to left\u2066\u200f",
    "\x00nul\x01\x7f\x85",
    "carriage\rreturn",
    "\u2028\u2029 lines",
    "\u00fcn\u00efc\u00f6d\u00e9 \u65e5\u672c \U0001f986 e\u0301",
    " blanks ",
    "NULL",
    "None",
    "\\N",
    "%s%n%d{{0}}",
    "https://evil.example/?x=1&y=<script>alert(1)</script>",
    "x" * 65536,
]
FILE_NAMES = [
    text for text in HOSTILE if not {"/", "\0", "{"} & set(text) and len(text.encode()) < 256
]
"""Those that a file may have as its name."""
IN_SQL = [
    "it's",
    '"double"',
    "back\\slash\\",
    "\\'); drop table raw.results_rejects; --",
    "'; insert into raw.results_rejects values ('x",
    "line\nbreak\r\ttab",
    "nul\0" + "12 digits after it",
    "\x1a\b%_\\%\\_",
    "\\u0041 \\n \\0",
    "ünïcödé 漢字 🦆 \u202e",
    "%s %(name)s ? :1 {}",
    "-- comment /* and */ #",
    "NULL",
    "",
    " ",
]
"""Texts that would end a literal, or change their meaning in one."""
MEANT = {"p_date", "p_time", "score"}
"""Fields that the rules need to match raw events with a suspicious event."""


def hostile_texts(pipeline: str = "flow", marker: Path | str = "/tmp/marker") -> list[str]:
    """The texts for a pipeline; what a shell would run leaves a marker."""
    return [text.format(pipeline=pipeline, marker=marker) for text in HOSTILE]
