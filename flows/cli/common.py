"""Helpers shared by the commands: arguments, settings, opening a day, printing a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spot_oa.errors import printable

if TYPE_CHECKING:
    from analyst.day import Day
    from spot_oa.settings import Settings

PipelineArgument = Annotated[str, typer.Argument(metavar="PIPELINE", help="flow, proxy or dns.")]
DateOption = Annotated[str, typer.Option(metavar="DATE", help="2016-07-08 or 20160708 (UTC).")]


def read_settings() -> Settings:
    """Read the configuration; called by commands only, so that `--help` does not need it."""
    from spot_oa.settings import load_settings  # noqa: PLC0415

    return load_settings()


def open_published(pipeline: str, date: object) -> Day:
    """Open a published day for actions from the command line."""
    from analyst.day import open_day  # noqa: PLC0415

    return open_day(pipeline, date, settings=read_settings(), made_with="cli")


def say(text: str) -> None:
    """Print a line to the terminal, with unprintable characters escaped."""
    print(printable(text))  # noqa: T201
