"""Commands for suppressions: `suppress`, `unsuppress`, `suppressions`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from flows.cli.common import PipelineArgument, read_settings, say


def add_to(app: typer.Typer) -> None:
    """Add the commands to the console script."""
    app.command()(suppress)
    app.command()(unsuppress)
    app.command()(suppressions)


def suppress(
    pipeline: PipelineArgument,
    *,
    column: Annotated[
        str, typer.Option("--column", metavar="COLUMN", help="A column of the scores, e.g. dstip.")
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it is harmless.")],
    cidr: Annotated[
        str | None, typer.Option("--cidr", metavar="A/B", help="An address or a network.")
    ] = None,
    suffix: Annotated[
        str | None, typer.Option("--suffix", metavar="NAME", help="A name and its subdomains.")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", metavar="URI", help="The beginning of URIs.")
    ] = None,
    exact: Annotated[
        str | None, typer.Option("--exact", metavar="VALUE", help="This exact value.")
    ] = None,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="The first day (default: today)."),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="DATE", help="The last day (default: 90 days after the first)."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
) -> None:
    """Keep harmless rows out of the open lists until a given day; they stay in every table."""
    from analyst import suppressions as kept  # noqa: PLC0415
    from analyst.store import open_store  # noqa: PLC0415
    from spot_oa.pipelines import get_pipeline  # noqa: PLC0415

    settings = read_settings()
    described = get_pipeline(pipeline, settings.pipelines_dir)
    options = {"column": column, "cidr": cidr, "suffix": suffix, "prefix": prefix, "exact": exact}
    asked = {name: text for name, text in options.items() if text is not None}
    today = dt.datetime.now(dt.UTC).date()
    checked = kept.suppression(described, asked, reason=reason, today=today, first=first, last=last)
    if dry_run:
        say(f"{pipeline}: {checked['first']} to {checked['last']}; dry run, nothing written")
        return
    made = kept.suppress(
        open_store(settings),
        described,
        checked,
        reason=reason,
        author=settings.who,
        made_with="cli",
    )
    say(f"{pipeline}: suppression {made}")
    say("the tables change with `spot-oa refresh --pending`, or with the day's next run")


def unsuppress(
    suppression: Annotated[str, typer.Argument(metavar="ID", help="The beginning of its id.")],
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why.")] = "",
) -> None:
    """Take back a suppression; the rows that it covered are open again."""
    from analyst import suppressions as kept  # noqa: PLC0415
    from analyst.store import open_store  # noqa: PLC0415

    settings = read_settings()
    gone = kept.unsuppress(
        open_store(settings), suppression, author=settings.who, made_with="cli", note=note
    )
    say(f"taken back: suppression {gone or suppression}")
    say("the tables change with `spot-oa refresh --pending`, or with the day's next run")


def suppressions(
    pipeline: Annotated[
        str, typer.Argument(metavar="PIPELINE|all", help="flow, proxy, dns or all.")
    ] = "all",
) -> None:
    """List the suppressions that were not taken back, and how many rows they recently covered."""
    from analyst import suppressions as kept  # noqa: PLC0415
    from analyst.store import open_store  # noqa: PLC0415
    from spot_oa.pipelines import get_pipeline, load_pipelines  # noqa: PLC0415

    settings = read_settings()
    names = list(load_pipelines(settings.pipelines_dir))
    if pipeline != "all":
        names = [get_pipeline(pipeline, settings.pipelines_dir).name]
    count = 0
    for name in names:
        covered = kept.hits(settings, name)
        for each in kept.standing(open_store(settings).undated(name)):
            count += 1
            say(f"{name}: {each}; {covered[each.id]} rows in the last {kept.HIT_DAYS} days")
    if not count:
        say("no suppressions")
