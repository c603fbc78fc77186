"""Shows a run: a live display on a terminal, plain lines elsewhere, a summary at the end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from analyst.pictures.text import many
from flows.run.summary import Summary
from spot_oa.dates import Slice
from spot_oa.errors import printable


class PlainReporter:
    """One line per step and note."""

    def __init__(self, console: Console, part: Slice) -> None:
        self._console = console
        self._part = part

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def note(self, message: str) -> None:
        """See `Reporter`."""
        self._line(message)

    def progress(self, message: str) -> None:
        """See `Reporter`; not shown, because it would be too many lines."""

    def started(self, step: str) -> None:
        """See `Reporter`; the line is printed when the step ends."""

    def finished(self, step: str, seconds: float, detail: str) -> None:
        """See `Reporter`."""
        self._line(f"{step}: {detail} ({seconds:.1f} s)")

    def _line(self, message: str) -> None:
        self._console.print(
            f"{self._part}: {printable(message)}", markup=False, highlight=False, soft_wrap=True
        )


class LiveReporter(PlainReporter):
    """A spinner with the running steps, below the lines of the finished steps."""

    def __init__(self, console: Console, part: Slice) -> None:
        super().__init__(console, part)
        self._status = Status(str(part), console=console)
        self._running: list[str] = []
        self._last = ""

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._status.stop()

    def progress(self, message: str) -> None:
        """See `Reporter`; shown until the next message."""
        self._last = message
        self._show()

    def started(self, step: str) -> None:
        """See `Reporter`."""
        self._running.append(step)
        self._last = ""
        self._show()

    def finished(self, step: str, seconds: float, detail: str) -> None:
        """See `Reporter`."""
        self._running.remove(step)
        super().finished(step, seconds, detail)
        self._show()

    def _show(self) -> None:
        parts = [str(self._part), ", ".join(self._running), printable(self._last)]
        self._status.update(escape("  ".join(part for part in parts if part)))


def reporter(console: Console, part: Slice) -> PlainReporter:
    """Return the reporter that fits the console."""
    return LiveReporter(console, part) if console.is_terminal else PlainReporter(console, part)


def show_summary(console: Console, summary: Summary) -> None:
    """Print the summary of a run: counts, sources, seconds, warnings, and the folder."""
    if summary.unchanged:
        console.print(f"{summary.part}: {summary.headline}", markup=False, highlight=False)
        return
    if summary.report:
        console.print(f"report: {summary.report}", markup=False, highlight=False, soft_wrap=True)
    table = Table(title=str(summary.part), title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    landed, built = summary.landed, summary.built
    if summary.scored:
        scored = summary.scored
        days = many(scored.days, "earlier day")
        without = f", {scored.unscored} events without client or peer" if scored.unscored else ""
        table.add_row("scored", f"{scored.rows} rows, compared with {days}{without}")
    if landed:
        bad = sum(landed.bad_values.values())
        table.add_row("landed", f"{landed.rows} rows, {landed.rejected} rejected, {bad} bad values")
    for step, enriched in summary.enriched.items():
        rows = ", ".join(f"{n} {name}" for name, n in enriched.rows.items())
        sources = "; ".join(
            f"{o.source} {o.status}, {o.found} of {o.asked}" for o in enriched.outcomes
        )
        table.add_row(step, printable(f"{rows} ({sources or 'no source configured'})"))
    for name, count in summary.tables.items():
        table.add_row(name, f"{count} rows")
    if built:
        warned = len(built.tests_warned)
        table.add_row(
            "dbt",
            f"{built.models} models built, {built.tests_passed} tests passed, {warned} warned",
        )
    table.add_row(
        "seconds", ", ".join(f"{step} {taken:.1f}" for step, taken in summary.seconds.items())
    )
    for warning in summary.warnings:
        table.add_row("[yellow]warning", escape(printable(warning)))
    console.print(table)
    files = f"files: {summary.folder}"
    if summary.scored and not landed:
        files = f"results: {printable(summary.scored.uri)}"
    console.print(files, markup=False, highlight=False, soft_wrap=True)


def show_history(console: Console, runs: Sequence[Mapping[str, Any]]) -> None:
    """Print runs, given as rows of oa.run_audit: one line each, and one more for a failure."""
    for run in runs:
        seconds = "" if run["seconds"] is None else f"{run['seconds']:.1f} s"
        rows = "" if run["rows_landed"] is None else f"{run['rows_landed']} rows"
        part = Slice(run["pipeline"], dt.date(run["y"], run["m"], run["d"]))
        line = (
            f"{run['started_at']:%Y-%m-%d %H:%M:%S}  {part!s:<16}  {run['status']:<11} "
            f"{seconds:>9} {rows:>11} {run['warnings']:>3} warnings  "
            f"{run['user_name']}@{run['host']}, {run['started_from']}"
        )
        if run["failed_step"]:
            line += f"\n    in {run['failed_step']}: {run['reason'] or run['status']}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not runs:
        console.print("no run yet")
