"""The console script `spot-oa`: runs without Prefect and without a server."""

from __future__ import annotations

import datetime as dt
import gc
import logging
import os
import re
import signal
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import labels as label_commands
from spot_oa.dates import date_range, parse_date
from spot_oa.errors import SpotOaError, UsageError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from spot_oa.settings import Settings

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Operational analytics of suspicious network connections.",
)

geo = typer.Typer(no_args_is_help=True, help="Geo databases.")
app.add_typer(geo, name="geo")
label_commands.add_to(app)

INTERRUPTED = "interrupted; no day is half published, run it again"
_SIGINT_CODE = 130

DateOption = Annotated[str, typer.Option(metavar="DATE", help="2016-07-08 or 20160708 (UTC).")]
LimitOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="How many results to take (default: SPOT_OA_LIMIT, 500)."),
]
PipelineArgument = Annotated[
    str, typer.Argument(metavar="PIPELINE", help="flow, proxy, dns or all.")
]


@app.callback()
def _main(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    pass


@app.command()
def run(
    pipeline: PipelineArgument,
    date: DateOption,
    limit: LimitOption = None,
    force_enrich: Annotated[
        bool, typer.Option("--force-enrich", help="Ask enrichment services anew.")
    ] = False,
) -> None:
    """Run a pipeline for a date: land, enrich, build, publish."""
    day = parse_date(date)
    names = _pipelines(pipeline)
    taken = _checked(limit)
    _run_days(names, [day], taken, go_on=len(names) > 1, force_enrich=force_enrich)


@app.command()
def backfill(
    pipeline: PipelineArgument,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="The last day, included.")],
    limit: LimitOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Run days again that have not changed.")
    ] = False,
) -> None:
    """Run a pipeline for every date of a range; a bad day does not stop the others.

    Days whose inputs and settings are what they were when they were published are skipped.
    """
    dates = date_range(parse_date(first), parse_date(last))
    _run_days(_pipelines(pipeline), dates, _checked(limit), go_on=True, skip_unchanged=not force)


@app.command()
def demo(
    generate_only: Annotated[
        bool, typer.Option("--generate-only", help="Write the data, run nothing.")
    ] = False,
    rows: Annotated[
        int, typer.Option(metavar="N", min=1, help="Raw events per pipeline and day.")
    ] = 20_000,
) -> None:
    """Make a small synthetic network below SPOT_OA_HOME and run every pipeline on it."""
    from spot_oa.demo import DEMO_DATES, demo_settings, generate  # noqa: PLC0415

    console, settings = _console(), demo_settings(_settings().home)
    made = generate(
        settings.home,
        pipelines=_pipelines("all"),
        rows_per_day=rows,
        suspicious=min(200, rows),
    )
    for day in made.days:
        stories = ", ".join(f"{story} {events}" for story, events in day.planted.items())
        console.print(
            f"{day.pipeline} {day.date}: {day.events} events, {day.lines} results ({stories})",
            highlight=False,
        )
    console.print(f"demo data: {made.home}", markup=False, highlight=False, soft_wrap=True)
    if not generate_only:
        _run_days(_pipelines("all"), DEMO_DATES, None, settings=settings)
        label_commands.show_labels_of_demo(settings, DEMO_DATES[0])


@geo.command("fetch")
def geo_fetch(
    source: Annotated[
        str, typer.Option(metavar="SOURCE", help="dbip-city, asn-country or maxmind.")
    ],
) -> None:
    """Fetch geo databases, and show their licence."""
    from python_enrichers.geo.fetch import fetch  # noqa: PLC0415

    console = _console()

    def show(text: str) -> None:
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    paths = fetch(source, _settings(), show)
    show(f"SPOT_OA_GEO_DB={','.join(map(str, paths))} makes runs use them")


@app.command()
def doctor() -> None:
    """Show what is configured, what can be reached and what is missing."""
    from flows.cli.doctor import examine  # noqa: PLC0415

    console = _console()
    faults = 0
    for usable, finding in examine(_settings()):
        faults += not usable
        mark = "ok     " if usable else "missing"
        console.print(f"{mark} {printable(finding)}", markup=False, highlight=False, soft_wrap=True)
    if faults:
        raise SpotOaError(f"{faults} parts are missing or unusable: see the lines above")


@app.command()
def history(
    pipeline: PipelineArgument = "all",
    last: Annotated[
        int, typer.Option("--last", metavar="N", min=1, help="How many runs to show.")
    ] = 20,
) -> None:
    """Show the last runs: what ran, how it ended, and why."""
    from flows.cli.report import show_history  # noqa: PLC0415
    from flows.run.audit import history as runs  # noqa: PLC0415

    console = _console()
    name = None if pipeline == "all" else _pipelines(pipeline)[0]
    show_history(console, runs(_settings(), last, name, console.print))


def _run_days(
    pipelines: Iterable[str],
    dates: Iterable[dt.date],
    limit: int | None,
    *,
    go_on: bool = False,
    skip_unchanged: bool = False,
    force_enrich: bool = False,
    settings: Settings | None = None,
) -> None:
    from flows.cli.report import reporter, show_summary  # noqa: PLC0415
    from flows.run.runner import run_day  # noqa: PLC0415
    from spot_oa.dates import Slice  # noqa: PLC0415

    console, settings = _console(), settings or _settings()
    failed = []
    for date in dates:
        for pipeline in pipelines:
            try:
                with reporter(console, Slice(pipeline, date)) as told:
                    summary = run_day(
                        settings,
                        pipeline,
                        date,
                        told,
                        limit=limit,
                        force_enrich=force_enrich,
                        skip_unchanged=skip_unchanged,
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

    extra = _settings().pipelines_dir
    return list(load_pipelines(extra)) if name == "all" else [get_pipeline(name, extra).name]


def _checked(limit: int | None) -> int | None:
    if limit is not None and limit < 0:
        raise UsageError(f"--limit {limit} is negative: give 0 or more")
    return limit


def _settings() -> Settings:
    from spot_oa.settings import load_settings  # noqa: PLC0415

    return load_settings()


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415

    return Console(width=None if sys.stdout.isatty() else 100)


def main() -> None:
    """Run the command line; exit 0 done, 1 failed, 2 wrong usage, errors as one line."""
    # Asked to end, a run unwinds as on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A log that cannot be written (the disk is full) is no reason for pages of traceback.
    logging.raiseExceptions = False
    code = _invoke()
    sys.stderr.flush()
    # DuckDB prints leak notices of its own when the interpreter winds down after dbt.
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - not a path of ours
        os.dup2(nowhere.fileno(), 2)
    # And taking apart what dbt leaves behind would take most of a second.
    gc.freeze()
    sys.exit(code)


def _invoke() -> int:
    try:
        # Every command takes --debug, wherever it stands.
        code: int = app([a for a in sys.argv[1:] if a != "--debug"], standalone_mode=False) or 0
        return _complain(INTERRUPTED, 1) if code == _SIGINT_CODE else code
    except UsageError as error:
        return _complain(error, 2)
    except SpotOaError as error:
        return _complain(error, 1)
    except typer.TyperException as error:
        # Without arguments it is the help that was shown.
        reason = error.format_message()
        return _complain(f"{reason} (see spot-oa --help)", 2) if reason else 2
    except (typer.Abort, KeyboardInterrupt):
        return _complain(INTERRUPTED, 1)
    except Exception as error:  # noqa: BLE001 - the promise is one line, whatever happens
        return _complain(f"unexpected {type(error).__name__}: {error}; see --debug", 1)


def _complain(error: object, code: int) -> int:
    if "--debug" in sys.argv:
        import traceback  # noqa: PLC0415

        for line in traceback.format_exc().splitlines():
            # Libraries name the URL that failed, with the password in it.
            print(printable(re.sub(r"://[^/@\s]+@", "://***@", line)), file=sys.stderr)  # noqa: T201
    print(f"spot-oa: {printable(error)}", file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    main()
