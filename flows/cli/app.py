"""The console script `spot-oa`: runs without Prefect and without a server."""

from __future__ import annotations

import atexit
import datetime as dt
import logging
import os
import re
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand

from flows.cli import labels, notebooks, stories, suppressions
from flows.cli.common import DateOption, read_settings
from spot_oa.dates import date_range, parse_date
from spot_oa.errors import SpotOaError, UsageError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import Console

    from spot_oa.settings import Settings

T = TypeVar("T", bound="Callable[..., Any]")


@dataclass
class _Call:
    """The state of one call of the command line, which typer's callbacks fill in."""

    debug: bool = False
    code: int = 1


def _note_debug(context: typer.Context, _: object, value: bool) -> None:
    if value and isinstance(context.obj, _Call):
        context.obj.debug = True


class _Command(TyperCommand):
    """A command that also accepts --debug, so that it may follow the command's name."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the command's own parameters and the program's --debug."""
        program = ctx.find_root().command
        return [*super().get_params(ctx), *(p for p in program.params if p.name == "debug")]


class _App(typer.Typer):
    """Typer with our class of commands."""

    def command(self, *arguments: Any, **given: Any) -> Callable[[T], T]:
        """See `typer.Typer.command`."""
        return super().command(*arguments, **{"cls": _Command, **given})


app = _App(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Operational analytics of suspicious network connections.",
)

geo = _App(no_args_is_help=True, help="Geo databases.")
app.add_typer(geo, name="geo")
labels.add_to(app)
suppressions.add_to(app)
stories.add_to(app)
notebooks.add_to(app)

INTERRUPTED = "interrupted; no day is partly published: run it again"
_SIGINT_CODE = 130
_DEMO_LIMIT = 200

LimitOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="Maximum number of results (default: SPOT_OA_LIMIT, 500)."),
]
PipelineArgument = Annotated[
    str, typer.Argument(metavar="PIPELINE", help="flow, proxy, dns or all.")
]


@app.callback()
def _main(
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            is_eager=True,
            expose_value=False,
            callback=_note_debug,
            help="Show the traceback of an error.",
        ),
    ] = False,
) -> None:
    pass


@app.command()
def run(
    pipeline: PipelineArgument,
    date: DateOption,
    limit: LimitOption = None,
    force_enrich: Annotated[
        bool,
        typer.Option(
            "--force-enrich", help="Query enrichment services again, ignoring cached answers."
        ),
    ] = False,
) -> None:
    """Run a pipeline for a date: land, enrich, build, publish."""
    day = parse_date(date)
    names = _pipelines(pipeline)
    taken = _checked(limit)
    _run_days(names, [day], taken, go_on=len(names) > 1, force_enrich=force_enrich)


@app.command()
def score(
    pipeline: PipelineArgument,
    date: DateOption,
    limit: LimitOption = None,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="Score every day from this one to --date."),
    ] = None,
) -> None:
    """Score a date with the built-in scorer: writes the results file that a run reads."""
    from flows.cli.report import reporter, show_summary  # noqa: PLC0415
    from flows.run.runner import score_day  # noqa: PLC0415
    from spot_oa.dates import Slice  # noqa: PLC0415

    last, taken = parse_date(date), _checked(limit)
    dates = date_range(parse_date(first), last) if first else [last]
    names = _pipelines(pipeline)
    console, settings = _console(), read_settings()
    failed = []
    # In order: each day is compared with the days before it.
    for day in dates:
        for name in names:
            try:
                with reporter(console, Slice(name, day)) as progress:
                    summary = score_day(settings, name, day, progress, limit=taken)
            except SpotOaError as error:
                if len(dates) * len(names) == 1:
                    raise
                failed.append(f"{name} {day}")
                print(f"spot-oa: {printable(error)}", file=sys.stderr)  # noqa: T201
            else:
                show_summary(console, summary)
    if failed:
        raise SpotOaError(f"{len(failed)} days failed: {', '.join(failed)}; the others are scored")


@app.command()
def backfill(
    pipeline: PipelineArgument,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="The last day, included.")],
    limit: LimitOption = None,
    force: Annotated[bool, typer.Option("--force", help="Also run unchanged days again.")] = False,
) -> None:
    """Run a pipeline for every date of a range; a failed day does not stop the others.

    Days whose inputs and settings have not changed since they were published are skipped.
    """
    dates = date_range(parse_date(first), parse_date(last))
    _run_days(_pipelines(pipeline), dates, _checked(limit), go_on=True, skip_unchanged=not force)


@app.command()
def ingest(  # noqa: PLR0917 - typer calls it by name
    source: Annotated[
        str | None,
        typer.Argument(metavar="SOURCE", help="zeek, suricata, nfdump, squid, elf, argus, vpc."),
    ] = None,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH...", help="Files, folders, - for stdin.")
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Type of log, if neither the file nor its name shows it."
        ),
    ] = None,
    sensor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Sensor that wrote the logs (default: main).")
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Time zone of textual times: Europe/Berlin, UTC."),
    ] = None,
    growing: Annotated[
        bool | None, typer.Option("--open/--closed", help="Whether files may still grow.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Ingest known files again, replacing their rows.")
    ] = False,
    any_time: Annotated[
        bool, typer.Option("--any-time", help="Accept rows with implausible times too.")
    ] = False,
    drop_query: Annotated[
        bool, typer.Option("--drop-query", help="Drop the query part of URIs.")
    ] = False,
    max_refused: Annotated[
        float, typer.Option(metavar="SHARE", help="Maximum share of refused lines per file.")
    ] = 0.1,
    threads: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of threads that map rows.")
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would land, write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per file.")] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Show how far the logs of each sensor reach.")
    ] = False,
    forget: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Remove the rows of a file.")
    ] = None,
) -> None:
    """Convert logs to telemetry; without arguments, the logs set by SPOT_OA_INGEST__..."""
    from flows.cli import ingest as shown  # noqa: PLC0415
    from spot_oa.ingest import Options  # noqa: PLC0415

    console, settings = _console(), read_settings()
    if status:
        shown.show_status(settings, console, as_json=as_json)
    elif forget:
        shown.forget_files(settings, console, forget, source=source, sensor=sensor)
    elif source is None:
        shown.take_configured(settings, console, again=again, as_json=as_json)
    elif not paths:
        raise UsageError(f"ingest {source}: give files or folders, or - for standard input")
    else:
        options = Options(
            sensor=sensor or "main",
            timezone=timezone,
            log=log,
            growing=growing,
            again=again,
            any_time=any_time,
            drop_query=drop_query,
            max_refused=max_refused,
            dry_run=dry_run,
            threads=threads,
        )
        shown.run(settings, console, source, paths, options, as_json=as_json)


@app.command()
def demo(
    generate_only: Annotated[
        bool, typer.Option("--generate-only", help="Write the data, run nothing.")
    ] = False,
    rows: Annotated[
        int, typer.Option(metavar="N", min=1, help="Raw events per pipeline and day.")
    ] = 20_000,
    logs: Annotated[
        bool, typer.Option("--logs", help="Also write the events as Zeek logs for ingest.")
    ] = False,
) -> None:
    """Generate a small synthetic network in SPOT_OA_HOME, score it and run every pipeline."""
    from spot_oa.demo import DEMO_DATES, demo_settings, generate  # noqa: PLC0415

    console, settings = _console(), demo_settings(read_settings().home)
    if settings.reports and not generate_only:
        from analyst.report import written  # noqa: PLC0415

        page = written(settings.data_dir, DEMO_DATES[-1])
        line = f"report: {page}, when the runs below are done"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    made = generate(settings.home, pipelines=_pipelines("all"), rows_per_day=rows)
    for day in made.days:
        stories = ", ".join(f"{story} {events}" for story, events in day.planted.items())
        console.print(
            f"{day.pipeline} {day.date}: {day.events} events ({stories})",
            highlight=False,
        )
    console.print(f"demo data: {made.home}", markup=False, highlight=False, soft_wrap=True)
    if logs:
        from spot_oa.demo.logs import write_logs  # noqa: PLC0415

        folder = made.home / "logs"
        write_logs(made.days, folder)
        line = f"logs: SPOT_OA_HOME=elsewhere spot-oa ingest zeek {folder}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not generate_only:
        first, *later = DEMO_DATES
        how: dict[str, Any] = {"limit": _DEMO_LIMIT, "settings": settings, "scorer": "builtin"}
        _run_days(_pipelines("all"), [first], **how)
        labels.show_labels_of_demo(settings, first)
        # These are scored with the first date's connections and labels as history.
        _run_days(_pipelines("all"), later, **how)


@app.command()
def report(
    date: Annotated[
        str | None, typer.Option(metavar="DATE", help="2016-07-08 or 20160708 (UTC).")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="For every published day.")] = False,
) -> None:
    """Write the report of a published day again: an HTML page over all its pipelines."""
    from analyst.report import write, write_all  # noqa: PLC0415
    from spot_oa.lock import warehouse_lock  # noqa: PLC0415

    if (date is None) is not every:
        raise UsageError("report needs either --date or --all")
    console, settings = _console(), read_settings()
    day = None if date is None else parse_date(date)
    with warehouse_lock(settings.lock, "report", settings.lock_timeout, console.print):
        pages = write_all(settings) if day is None else [write(settings, day)]
    for page in pages:
        console.print(f"report: {page}", markup=False, highlight=False, soft_wrap=True)
    if not pages:
        console.print("no day is published yet")


@geo.command("fetch")
def geo_fetch(
    source: Annotated[
        str, typer.Option(metavar="SOURCE", help="dbip-city, asn-country or maxmind.")
    ],
) -> None:
    """Download geo databases and show their licence."""
    from python_enrichers.geo.fetch import fetch  # noqa: PLC0415

    console = _console()

    def show(text: str) -> None:
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    paths = fetch(source, read_settings(), show)
    show(f"to use them in runs, set SPOT_OA_GEO_DB={','.join(map(str, paths))}")


@app.command()
def doctor() -> None:
    """Show what is configured, what can be reached and what is missing."""
    from flows.cli.doctor import examine  # noqa: PLC0415

    console = _console()
    faults = 0
    for state, finding in examine(read_settings()):
        faults += not state
        console.print(
            f"{state:<11} {printable(finding)}", markup=False, highlight=False, soft_wrap=True
        )
    if faults:
        raise SpotOaError(f"{faults} problems: see the lines above that are not ok")


@app.command()
def history(
    pipeline: PipelineArgument = "all",
    last: Annotated[
        int, typer.Option("--last", metavar="N", min=1, help="Number of runs to show.")
    ] = 20,
) -> None:
    """Show the last runs and how they ended."""
    from flows.cli.report import show_history  # noqa: PLC0415
    from flows.run.audit import history as runs  # noqa: PLC0415

    console = _console()
    name = None if pipeline == "all" else _pipelines(pipeline)[0]
    show_history(console, runs(read_settings(), last, name, console.print))


def _run_days(
    pipelines: Iterable[str],
    dates: Iterable[dt.date],
    limit: int | None,
    *,
    go_on: bool = False,
    skip_unchanged: bool = False,
    force_enrich: bool = False,
    settings: Settings | None = None,
    scorer: str | None = None,
) -> None:
    from flows.cli.report import reporter, show_summary  # noqa: PLC0415
    from flows.run.runner import run_day  # noqa: PLC0415
    from spot_oa.dates import Slice  # noqa: PLC0415

    console, settings = _console(), settings or read_settings()
    failed = []
    for date in dates:
        for pipeline in pipelines:
            try:
                with reporter(console, Slice(pipeline, date)) as progress:
                    summary = run_day(
                        settings,
                        pipeline,
                        date,
                        progress,
                        limit=limit,
                        force_enrich=force_enrich,
                        skip_unchanged=skip_unchanged,
                        scorer=scorer,
                    )
            except SpotOaError as error:
                if not go_on:
                    raise
                failed.append(f"{pipeline} {date}")
                print(f"spot-oa: {printable(error)}", file=sys.stderr)  # noqa: T201
            else:
                show_summary(console, summary)
    if failed:
        raise SpotOaError(f"{len(failed)} runs failed: {', '.join(failed)}; the others are done")


def _pipelines(name: str) -> list[str]:
    from spot_oa.pipelines import get_pipeline, load_pipelines  # noqa: PLC0415

    extra = read_settings().pipelines_dir
    return list(load_pipelines(extra)) if name == "all" else [get_pipeline(name, extra).name]


def _checked(limit: int | None) -> int | None:
    if limit is not None and limit < 0:
        raise UsageError(f"--limit {limit} is negative: use 0 or more")
    return limit


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415

    return Console(width=None if sys.stdout.isatty() else 100)


def main() -> None:
    """Run the command line; exit with 0 (done), 1 (failed) or 2 (usage), errors as one line."""
    call = _Call()
    # Registered first, therefore called last.
    atexit.register(_leave, call)
    # SIGTERM unwinds a run in the same way as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.unraisablehook = not_lost
    # If a log cannot be written (the disk is full), do not print pages of traceback.
    logging.raiseExceptions = False
    call.code = _invoke(call)
    sys.exit(call.code)


def _leave(call: _Call) -> None:
    """End the process without cleanup: destroying dbt's objects takes most of a second.

    It also prevents DuckDB's messages about objects that were not freed. All other exit handlers
    have run by now.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(call.code)


def not_lost(unraisable: sys.UnraisableHookArgs) -> None:
    """Repeat an interrupt that was lost in a finalizer or in the import system's lock."""
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    again = threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGTERM))
    again.daemon = True
    again.start()


def is_interrupt(error: BaseException | None) -> bool:
    """Whether an interrupt caused an error, as it does while an extension is being imported."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _invoke(call: _Call) -> int:
    try:
        code: int = app(obj=call, standalone_mode=False) or 0
        sys.stdout.flush()
    except UsageError as error:
        return _complain(error, 2, call)
    except SpotOaError as error:
        return _complain(error, 1, call)
    except typer.TyperException as error:
        # Without arguments, typer has shown the help.
        reason = error.format_message()
        return _complain(f"{reason} (see spot-oa --help)", 2, call) if reason else 2
    except (typer.Abort, KeyboardInterrupt):
        return _complain(INTERRUPTED, 1, call)
    except Exception as error:  # noqa: BLE001 - the promise is one line, whatever happens
        unexpected = f"unexpected {type(error).__name__}: {error}; see --debug"
        return _complain(INTERRUPTED if is_interrupt(error) else unexpected, 1, call)
    return _complain(INTERRUPTED, 1, call) if code == _SIGINT_CODE else code


def _complain(error: object, code: int, call: _Call) -> int:
    if call.debug:
        import traceback  # noqa: PLC0415

        for line in traceback.format_exc().splitlines():
            # Remove passwords from the URLs in the messages of libraries.
            print(printable(re.sub(r"://[^/@\s]+@", "://***@", line)), file=sys.stderr)  # noqa: T201
    print(f"spot-oa: {printable(error)}", file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    main()
