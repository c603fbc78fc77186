"""The output of `spot-oa ingest`; spot_oa.ingest does the work."""

from __future__ import annotations

import datetime as dt
import glob
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from spot_oa.errors import IngestError, SpotOaError, UsageError, printable
from spot_oa.ingest import Ingest, Ingested, Options
from spot_oa.ingest.delivery import Delivered, deliver
from spot_oa.ingest.forgetting import forget
from spot_oa.ingest.result import hour_text
from spot_oa.ingest.status import Sensor, sensors

if TYPE_CHECKING:
    from rich.console import Console

    from spot_oa.settings import IngestInput, Settings

LINE = 200
"""Maximum number of characters shown of a refused line."""


def run(
    settings: Settings,
    console: Console,
    source: str,
    paths: Sequence[str],
    options: Options,
    *,
    as_json: bool = False,
) -> list[Ingested]:
    """Ingest logs, and show the result of each file.

    Raises:
        SpotOaError: A file failed, or no file was usable; the other files have landed.
    """
    found: list[Ingested] = []
    failed: list[Ingested] = []
    with _progress(console, shown=console.is_terminal and not as_json) as progress:
        for result in Ingest(settings, source, options, progress).take_all(paths):
            found.append(result)
            if as_json:
                print(json.dumps(result.as_json()))  # noqa: T201
            elif result.status != "unused":
                for line in lines(result, dry_run=options.dry_run):
                    _show(console, line)
            if result.status == "failed":
                failed.append(result)
    for result in failed if len(found) > 1 else []:
        print(f"spot-oa: {printable(result.error)}", file=sys.stderr)  # noqa: T201
    if not as_json:
        unused = sum(result.status == "unused" for result in found)
        if unused:
            _show(console, f"{unused} {'file was' if unused == 1 else 'files were'} not used")
        for line in late(found):
            _show(console, line)
    if not options.dry_run:
        _deliver(settings, console, as_json=as_json)
    judge(found, source)
    return found


def take_configured(
    settings: Settings, console: Console, *, again: bool = False, as_json: bool = False
) -> None:
    """Ingest the configured logs; a failed input does not stop the others.

    Raises:
        SpotOaError: An input failed, or none is configured.
    """
    if not settings.ingest:
        raise UsageError(
            "ingest: give a source and files (spot-oa ingest zeek PATH...), or set "
            "SPOT_OA_INGEST__<NAME>__SOURCE and SPOT_OA_INGEST__<NAME>__PATHS"
        )
    failed = []
    for name in settings.ingest:
        given, paths = configured(settings, name)
        try:
            options = options_of(given, again=again)
            run(settings, console, given.source, paths, options, as_json=as_json)
        except SpotOaError as error:
            failed.append(name)
            print(f"spot-oa: {name}: {printable(error)}", file=sys.stderr)  # noqa: T201
    if failed:
        raise SpotOaError(f"{len(failed)} inputs failed: {', '.join(failed)}; the others are done")


def forget_files(
    settings: Settings,
    console: Console,
    paths: Iterable[str],
    *,
    source: str | None = None,
    sensor: str | None = None,
) -> None:
    """Remove the rows of files, and show their number."""
    for path in paths:
        rows = forget(settings, path, source, sensor)
        _show(console, f"{path}: {rows:,} rows removed")
    _deliver(settings, console)


def show_status(settings: Settings, console: Console, *, as_json: bool = False) -> None:
    """Show how far the logs of each sensor reach."""
    from rich.table import Table  # noqa: PLC0415

    rows = list(status_rows(sensors(settings), dt.datetime.now(dt.UTC)))
    if as_json:
        for row in rows:
            print(json.dumps(dict(zip(STATUS_COLUMNS, row, strict=True))))  # noqa: T201
        return
    if not rows:
        _show(console, "nothing was ingested yet: run spot-oa ingest SOURCE PATH...")
        return
    table = Table(*STATUS_COLUMNS, box=None)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)


def _deliver(settings: Settings, console: Console, *, as_json: bool = False) -> None:
    done = deliver(settings)
    for line in delivered(done) if done and not as_json else ():
        _show(console, line)


def delivered(done: Delivered) -> Iterator[str]:
    """Describe what was delivered to the cluster, one line per pipeline."""
    for pipeline, hours in sorted(done.hours.items()):
        removed = done.removed[pipeline]
        yield (
            f"{pipeline}: {done.files[pipeline]:,} files delivered"
            f"{f', {removed:,} removed' if removed else ''}, {len(hours):,} hours"
        )


def judge(found: Sequence[Ingested], source: str) -> None:
    """Raise an error if a file failed or no file was usable.

    Raises:
        SpotOaError: A file failed, or no file was usable.
    """
    failed = [result for result in found if result.status == "failed"]
    if len(failed) == 1 and len(found) == 1:
        raise IngestError(failed[0].error, transient=failed[0].transient)
    if failed:
        names = ", ".join(Path(result.path).name for result in failed[:3])
        more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""  # noqa: PLR2004
        raise IngestError(
            f"{len(failed)} of {len(found)} files failed ({names}{more}): see the lines above; the "
            "others have landed",
            transient=all(result.transient for result in failed),
        )
    if found and all(result.status == "unused" for result in found):
        raise SpotOaError(
            f"no file is usable: {source} reads other logs; see docs/ingest.md, or give the type "
            "of log with --log"
        )


def lines(result: Ingested, *, dry_run: bool = False) -> Iterator[str]:
    """Describe the result of a file in one line, followed by its first refused lines."""
    name = Path(result.path).name
    if result.status == "failed":
        return
    if result.status == "known":
        yield f"{name}: known, nothing new in it"
        return
    parts = [f"{rows:,} {pipeline} rows" for pipeline, rows in sorted(result.rows.items())]
    parts = parts or ["no rows"]
    if dry_run:
        parts[0] = f"would land {parts[0]}"
    if result.refused:
        parts.append(f"{result.refused:,} refused")
    if result.skipped:
        reasons = ", ".join(
            reason if len(result.skipped) == 1 else f"{reason} {count:,}"
            for reason, count in result.skipped.most_common()
        )
        parts.append(f"{result.skipped.total():,} skipped ({reasons})")
    if result.bad_values:
        columns = ", ".join(f"{column} {count:,}" for column, count in result.bad_values.items())
        parts.append(f"bad values made NULL: {columns}")
    if result.ambiguous:
        parts.append(f"{result.ambiguous:,} times in the hour that the zone repeats")
    if result.rows:
        parts.append(f"hours {_hours(result)}")
    yield f"{name}: {', '.join(parts)}, {result.seconds:.1f} s"
    for example in result.examples:
        text = printable(example.line)
        text = f"{text[:LINE]}..." if len(text) > LINE else text
        yield f"  line {example.line_no}: {example.reason}: {text}"


def late(found: Iterable[Ingested]) -> Iterator[str]:
    """Report rows of already published days, with the command to run these days again."""
    days: Counter[tuple[str, dt.date]] = Counter()
    rows: Counter[str] = Counter()
    for result in found:
        days.update(result.late)
        rows.update(result.rows)
    for (pipeline, date), count in sorted(days.items()):
        share = 100 * count / rows[pipeline]
        yield (
            f"late: {date} {pipeline} {count:,} rows ({share:.1f} %); "
            f"spot-oa backfill {pipeline} --from {date} --to {date}"
        )


def status_rows(found: Iterable[Sensor], now: dt.datetime) -> Iterator[tuple[str, ...]]:
    """Yield one row per sensor and pipeline, with the columns of STATUS_COLUMNS."""
    for sensor in found:
        share = f"{100 * sensor.refused / sensor.lines:.2f} %" if sensor.lines else "-"
        for pipeline, newest in sorted(sensor.newest.items()):
            hours = (now - newest).total_seconds() / 3600
            yield (
                sensor.name,
                pipeline,
                f"{newest:%Y-%m-%d %H:%M:%S}",
                f"{hours:,.1f} h",
                f"{sensor.files:,}",
                f"{sensor.rows:,}",
                share,
            )


STATUS_COLUMNS = ("sensor", "pipeline", "newest event", "lag", "files", "rows", "refused (24 h)")


def configured(settings: Settings, name: str) -> tuple[IngestInput, list[str]]:
    """Return a configured input, and its files and folders.

    Raises:
        UsageError: There is no input with that name.
    """
    if name not in settings.ingest:
        known = ", ".join(settings.ingest) or "none"
        raise UsageError(
            f"ingest input {printable(name)!r} is unknown (configured: {known}); set "
            "SPOT_OA_INGEST__<NAME>__SOURCE and SPOT_OA_INGEST__<NAME>__PATHS"
        )
    given = settings.ingest[name]
    paths = []
    for path in given.paths:
        paths += sorted(glob.glob(path)) if glob.has_magic(path) else [path]  # noqa: PTH207 - from a root or not
    return given, paths


def options_of(given: IngestInput, *, again: bool = False) -> Options:
    """Return the ingest options of a configured input."""
    return Options(
        sensor=given.sensor,
        timezone=given.timezone,
        log=given.log,
        growing=given.open,
        drop_query=given.drop_query,
        again=again,
    )


def _hours(result: Ingested) -> str:
    hours = sorted({hour for counted in result.hours.values() for hour in counted})
    first, last = hour_text(hours[0]), hour_text(hours[-1])
    if first == last:
        return first
    return f"{first}-{last[-2:]}" if first[:10] == last[:10] else f"{first} to {last}"


def _show(console: Console, line: str) -> None:
    console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _progress(console: Console, *, shown: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """Show a progress bar for the current file, on a terminal only."""
    if not shown:
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def advance(name: str, place: int, size: int) -> None:
            name = escape(printable(Path(name).name))
            progress.update(task, description=name, completed=place, total=size)

        yield advance
