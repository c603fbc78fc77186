"""What the commands share: the pipeline that is named, the configuration, and a line said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spot_oa.errors import printable

if TYPE_CHECKING:
    from spot_oa.settings import Settings

PipelineArgument = Annotated[str, typer.Argument(metavar="PIPELINE", help="flow, proxy or dns.")]


def read_settings() -> Settings:
    """The configuration, read when a command needs it: `--help` does not."""
    from spot_oa.settings import load_settings  # noqa: PLC0415

    return load_settings()


def say(text: str) -> None:
    """A line for the terminal; JSON has no character in it that is not printable."""
    print(printable(text))  # noqa: T201
