"""Commands for stories: `story write`, `list`, `remove`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.common import DateOption, PipelineArgument, open_published, say
from spot_oa.errors import UsageError, printable

story = typer.Typer(no_args_is_help=True, help="Stories about findings: write, list, remove.")

AnchorOption = Annotated[
    str, typer.Option("--anchor", metavar="ANCHOR", help="The address, name or URI.")
]
KindOption = Annotated[
    str | None,
    typer.Option("--kind", help="ip, client, query or uri; needed if the anchor is ambiguous."),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the console script."""
    app.add_typer(story, name="story")


@story.command("write")
def write(
    pipeline: PipelineArgument,
    *,
    date: DateOption,
    anchor: AnchorOption,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="One line.")],
    text: Annotated[str | None, typer.Option("--text", metavar="TEXT", help="The story.")] = None,
    text_file: Annotated[
        Path | None, typer.Option("--text-file", metavar="FILE", help="The story, in a file.")
    ] = None,
    kind: KindOption = None,
    top: Annotated[
        int | None,
        typer.Option("--top", metavar="N", help="Peers per direction in its tables: 20."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Save the story of an anchor; it replaces the anchor's previous story."""
    from analyst.actions import TOP_RESULTS  # noqa: PLC0415

    if (text is None) == (text_file is None):
        raise UsageError("give the story with either --text or --text-file")
    content = _read(text_file) if text_file is not None else str(text)
    day = open_published(pipeline, date)
    found = day.find_anchor(anchor, kind)
    top = TOP_RESULTS if top is None else top
    reply = day.save_story(*found, title, content, top_results=top)
    high = found in day.anchors()
    if as_json:
        about = {"anchor_kind": found[0], "anchor": found[1], "is_high": high}
        say(json.dumps(reply.as_json() | about))
        return
    saved = reply.action.short_id if reply.action else ""
    say(f"{day.part}: story of {found[0]} {printable(found[1])} saved; action {saved}")
    if not high:
        say("note: no row of this anchor is scored High")
    say(f"to update the tables, run `spot-oa refresh {pipeline} --date {day.part.date}`")


@story.command("list")
def list_(
    pipeline: PipelineArgument,
    *,
    date: DateOption,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON per story.")] = False,
) -> None:
    """List the stories of a day, the last saved one at the end."""
    day = open_published(pipeline, date)
    high = day.anchors()
    for each in day.saved_stories():
        if as_json:
            fields = {
                "anchor_kind": each.anchor_kind,
                "anchor": each.anchor,
                "title": each.title,
                "text": each.text,
                "author": each.action.author,
                "action_id": each.action.action_id,
                "is_high": (each.anchor_kind, each.anchor) in high,
            }
            say(json.dumps(fields))
            continue
        gone = "" if (each.anchor_kind, each.anchor) in high else ", not High"
        say(f"{each.anchor_kind} {each.anchor} ({each.action.author}{gone}): {each.title}")
        for line in each.text.splitlines():
            say(f"    {line}")
    if not as_json:
        from analyst.pictures.text import many  # noqa: PLC0415

        say(f"{day.part}: {many(len(day.saved_stories()), 'story', 'stories')}")


@story.command("remove")
def remove(
    pipeline: PipelineArgument,
    *,
    date: DateOption,
    anchor: AnchorOption,
    kind: KindOption = None,
) -> None:
    """Remove the story of an anchor; it stays in the history, and `undo` restores it."""
    day = open_published(pipeline, date)
    found = day.find_anchor(anchor, kind, with_story=True)
    reply = day.remove_story(*found)
    removed = reply.action.short_id if reply.action else ""
    say(f"{day.part}: story of {found[0]} {printable(found[1])} removed; action {removed}")
    say(f"to update the tables, run `spot-oa refresh {pipeline} --date {day.part.date}`")


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8").removeprefix("\N{BOM}")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--text-file {printable(file)}: {printable(error)}; use a UTF-8 text file"
        ) from error
