"""What a measurement has found, as a table: printed, and kept in docs/performance.md."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


@dataclass(frozen=True, slots=True)
class Table:
    """A heading and rows of texts, the first column of which says what was measured."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table as it stands on the page, its columns aligned for the terminal too."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = [self.head, ["-" * width for width in widths], *self.rows]
        return "\n".join(
            "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
            for line in lines
        )


def filled(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of rows that take their time: each is printed as it comes."""
    kept = []
    for row in rows:
        print("  ".join(row), flush=True)
        kept.append(row)
    return Table(head, kept)


def seconds(value: float) -> str:
    """Seconds with as many digits as mean something."""
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004


def times(value: float) -> str:
    """A ratio."""
    return f"{value:.1f} x" if value < 100 else f"{value:,.0f} x"  # noqa: PLR2004


def keep(name: str, table: Table, command: str) -> None:
    """Put the table between its marks on the page, with the day, the command and the machine."""
    begin, end = f"<!-- bench:{name} -->\n", f"<!-- bench:{name} ends -->"
    block = f"{begin}`{command}`, {dt.datetime.now(dt.UTC):%Y-%m-%d}, {machine()}\n\n"
    block += f"{table.markdown()}\n{end}"
    text = PAGE.read_text("utf-8")
    marks = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    assert marks.search(text), f"{PAGE} has no place for {name}"
    PAGE.write_text(marks.sub(lambda _: block, text), "utf-8")


def machine() -> str:
    """What it ran on, and how busy that was beside."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "dbt-core", "prefect"))
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory} GB, "
        f"Python {platform.python_version()}, {versions}; load {os.getloadavg()[0]:.1f}"
    )
