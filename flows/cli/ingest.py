"""What `spot-oa ingest` shows; spot_oa.ingest does the work."""

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
from spot_oa.ingest import Ingest, Ingested, Options, forget, hour_text
from spot_oa.ingest.delivery import Delivered, deliver
from spot_oa.ingest.status import Sensor, sensors

if TYPE_CHECKING:
    from rich.console import Console

    from spot_oa.settings import IngestInput, Settings

LINE = 200
"""Characters of a refused line that are shown."""


def run(
    settings: Settings,
    console: Console,
    source: str,
    paths: Sequence[str],
    options: Options,
    *,
    as_json: bool = False,
) -> list[Ingested]:
    """Take logs, and show what becomes of each file.

    Raises:
        SpotOaError: A file could not be taken, or none is of use; the others have landed.
    """
    found: list[Ingested] = []
    failed: list[Ingested] = []
    with _progress(console, shown=console.is_terminal and not as_json) as progress:
        for told in Ingest(settings, source, options, progress).take_all(paths):
            found.append(told)
            if as_json:
                print(json.dumps(told.as_json()))  # noqa: T201
            elif told.status != "unused":
                for line in lines(told, dry_run=options.dry_run):
                    _show(console, line)
            if told.status == "failed":
                failed.append(told)
    for told in failed if len(found) > 1 else []:
        print(f"spot-oa: {printable(told.error)}", file=sys.stderr)  # noqa: T201
    if not as_json:
        unused = sum(told.status == "unused" for told in found)
        if unused:
            _show(console, f"{unused} {'file is' if unused == 1 else 'files are'} not of use here")
        for line in late(found):
            _show(console, line)
    if not options.dry_run:
        _deliver(settings, console, as_json=as_json)
    judge(found, source)
    return found


def take_configured(
    settings: Settings, console: Console, *, again: bool = False, as_json: bool = False
) -> None:
    """Take the logs that the settings name; a bad input does not stop the others.

    Raises:
        SpotOaError: One of them could not be taken, or none is named.
    """
    if not settings.ingest:
        raise UsageError(
            "ingest: name a source and files (spot-oa ingest zeek PATH...), or set "
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
        raise SpotOaError(f"{len(failed)} inputs failed: {', '.join(failed)}; the others are taken")


def forget_files(
    settings: Settings,
    console: Console,
    paths: Iterable[str],
    *,
    source: str | None = None,
    sensor: str | None = None,
) -> None:
    """Remove what files have brought, and say how much it was."""
    for path in paths:
        rows = forget(settings, path, source, sensor)
        _show(console, f"{path}: {rows:,} rows are gone")
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
        _show(console, "nothing was taken yet: spot-oa ingest SOURCE PATH...")
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
    """What was brought to the cluster, a line per pipeline."""
    for pipeline, hours in sorted(done.hours.items()):
        removed = done.removed[pipeline]
        yield (
            f"{pipeline}: {done.files[pipeline]:,} files delivered"
            f"{f', {removed:,} removed' if removed else ''}, {len(hours):,} hours"
        )


def judge(found: Sequence[Ingested], source: str) -> None:
    """Fail if a file has.

    Raises:
        SpotOaError: So it is.
    """
    failed = [told for told in found if told.status == "failed"]
    if len(failed) == 1 and len(found) == 1:
        raise IngestError(failed[0].error, transient=failed[0].transient)
    if failed:
        names = ", ".join(Path(told.path).name for told in failed[:3])
        more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""  # noqa: PLR2004
        raise IngestError(
            f"{len(failed)} of {len(found)} files were not taken ({names}{more}): see the lines "
            "above; the others have landed",
            transient=all(told.transient for told in failed),
        )
    if found and all(told.status == "unused" for told in found):
        raise SpotOaError(
            f"no file is of use: {source} takes others; see docs/ingest.md, or name the log with "
            "--log"
        )


def lines(told: Ingested, *, dry_run: bool = False) -> Iterator[str]:
    """What became of a file, in a line; and the first lines that were refused."""
    name = Path(told.path).name
    if told.status == "failed":
        return
    if told.status == "known":
        yield f"{name}: known, nothing new in it"
        return
    parts = [f"{rows:,} {pipeline} rows" for pipeline, rows in sorted(told.rows.items())]
    parts = parts or ["no rows"]
    if dry_run:
        parts[0] = f"would land {parts[0]}"
    if told.refused:
        parts.append(f"{told.refused:,} refused")
    if told.skipped:
        reasons = ", ".join(
            reason if len(told.skipped) == 1 else f"{reason} {count:,}"
            for reason, count in told.skipped.most_common()
        )
        parts.append(f"{told.skipped.total():,} skipped ({reasons})")
    if told.bad_values:
        columns = ", ".join(f"{column} {count:,}" for column, count in told.bad_values.items())
        parts.append(f"bad values made NULL: {columns}")
    if told.ambiguous:
        parts.append(f"{told.ambiguous:,} times in the hour that the zone repeats")
    if told.rows:
        parts.append(f"hours {_hours(told)}")
    yield f"{name}: {', '.join(parts)}, {told.seconds:.1f} s"
    for example in told.examples:
        text = printable(example.line)
        text = f"{text[:LINE]}..." if len(text) > LINE else text
        yield f"  line {example.line_no}: {example.reason}: {text}"


def late(found: Iterable[Ingested]) -> Iterator[str]:
    """Rows of days that are published already, and how to run these days again."""
    days: Counter[tuple[str, dt.date]] = Counter()
    rows: Counter[str] = Counter()
    for told in found:
        days.update(told.late)
        rows.update(told.rows)
    for (pipeline, date), count in sorted(days.items()):
        share = 100 * count / rows[pipeline]
        yield (
            f"late: {date} {pipeline} {count:,} rows ({share:.1f} %); "
            f"spot-oa backfill {pipeline} --from {date} --to {date}"
        )


def status_rows(found: Iterable[Sensor], now: dt.datetime) -> Iterator[tuple[str, ...]]:
    """One row per sensor and pipeline: name, newest event, lag, files, rows, refused share."""
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
    """A configured input, and its files and folders.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in settings.ingest:
        known = ", ".join(settings.ingest) or "none"
        raise UsageError(
            f"ingest input {printable(name)!r} is unknown, configured are: {known}; set "
            "SPOT_OA_INGEST__<NAME>__SOURCE and SPOT_OA_INGEST__<NAME>__PATHS"
        )
    given = settings.ingest[name]
    paths = []
    for path in given.paths:
        paths += sorted(glob.glob(path)) if glob.has_magic(path) else [path]  # noqa: PTH207 - from a root or not
    return given, paths


def options_of(given: IngestInput, *, again: bool = False) -> Options:
    """How a configured input is taken."""
    return Options(
        sensor=given.sensor,
        timezone=given.timezone,
        log=given.log,
        growing=given.open,
        drop_query=given.drop_query,
        again=again,
    )


def _hours(told: Ingested) -> str:
    hours = sorted({hour for counted in told.hours.values() for hour in counted})
    first, last = hour_text(hours[0]), hour_text(hours[-1])
    if first == last:
        return first
    return f"{first}-{last[-2:]}" if first[:10] == last[:10] else f"{first} to {last}"


def _show(console: Console, line: str) -> None:
    console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _progress(console: Console, *, shown: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar for the file that is being read, on a terminal only."""
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
