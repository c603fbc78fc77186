"""Commands for notebooks: `notebook` opens them, `notebooks` makes, updates and lists them."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import DateOption, PipelineArgument, read_settings, say
from spot_oa.dates import parse_date
from spot_oa.errors import ConfigError, UsageError, printable

if TYPE_CHECKING:
    from analyst.notebooks.copies import Rendered
    from spot_oa.dates import Slice
    from spot_oa.settings import Settings

notebooks = typer.Typer(no_args_is_help=True, help="The notebooks of a day: render, update, list.")


def add_to(app: typer.Typer) -> None:
    """Add the commands to the console script."""
    app.command()(notebook)
    app.add_typer(notebooks, name="notebooks")


def notebook(
    pipeline: Annotated[
        str | None, typer.Argument(metavar="PIPELINE", help="flow, proxy or dns.")
    ] = None,
    date: Annotated[
        str | None, typer.Option(metavar="DATE", help="2016-07-08 or 20160708 (UTC).")
    ] = None,
    port: Annotated[
        int, typer.Option(metavar="N", min=1, max=65535, help="The first port to try.")
    ] = 8888,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open JupyterLab in a browser.")
    ] = True,
) -> None:
    """Open JupyterLab on the notebooks of a day, for this machine only; Ctrl-C ends it.

    The default pipeline is flow, and the default date is the newest published day.
    """
    from analyst.notebooks.server import command, serve  # noqa: PLC0415

    if find_spec("jupyterlab") is None or find_spec("anywidget") is None:
        raise ConfigError(
            "JupyterLab is not installed here: pip install 'spot-oa[notebooks]', or `make setup` "
            "in a checkout"
        )
    settings = read_settings()
    part = _part(settings, pipeline, date)
    _render(settings, part)
    print(f"{part}: JupyterLab opens, Ctrl-C ends it", flush=True)  # noqa: T201
    raise typer.Exit(serve(settings, command(settings, part, port=port, browser=browser)))


@notebooks.command("render")
def render(pipeline: PipelineArgument, date: DateOption) -> None:
    """Make the missing notebooks of a day; notebooks that you have edited do not change."""
    settings = read_settings()
    _render(settings, _part(settings, pipeline, date))


@notebooks.command("update")
def update(
    pipeline: PipelineArgument,
    date: DateOption,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this one, e.g. Edge_Investigation.")
    ] = None,
) -> None:
    """Replace notebooks by new copies of the templates; edited ones are kept as .bak.ipynb."""
    from analyst.notebooks.copies import update as put  # noqa: PLC0415

    settings = read_settings()
    _show(put(settings, _part(settings, pipeline, date), name))


@notebooks.command("list")
def list_(pipeline: PipelineArgument, date: DateOption) -> None:
    """Show each notebook of a day: its template's version, and whether it was edited or run."""
    from analyst.notebooks.copies import copies  # noqa: PLC0415

    settings = read_settings()
    part = _part(settings, pipeline, date)
    found = copies(settings, part)
    for copy in found:
        version = "version unknown" if copy.version is None else f"version {copy.version}"
        newest = f", the template has changed (version {copy.newest})"
        touched = "edited or run" if copy.touched else "untouched"
        say(f"{copy.name}: {version}, {touched}{newest if copy.outdated else ''}  {copy.path}")
    if not found:
        say(f"{part}: no notebooks: run `spot-oa notebooks render {part.pipeline} --date {date}`")


def _part(settings: Settings, pipeline: str | None, date: str | None) -> Slice:
    from spot_oa.dates import Slice  # noqa: PLC0415
    from spot_oa.pipelines import get_pipeline  # noqa: PLC0415
    from spot_oa.publish import newest_published  # noqa: PLC0415

    name = get_pipeline(pipeline or "flow", settings.pipelines_dir).name
    day = parse_date(date) if date is not None else newest_published(settings.data_dir, name)
    if day is None:
        raise UsageError(f"no day of {name} is published yet: run `spot-oa run {name} --date DATE`")
    return Slice(name, day)


def _render(settings: Settings, part: Slice) -> None:
    from analyst.notebooks.copies import render as make  # noqa: PLC0415

    _show(make(settings, part))


def _show(rendered: Rendered) -> None:
    for note in rendered.notes:
        print(f"spot-oa: {printable(note)}", file=sys.stderr)  # noqa: T201
    for path in rendered.made:
        say(f"written: {path}")
    if not rendered.made:
        say(f"nothing to do in {rendered.folder}")
