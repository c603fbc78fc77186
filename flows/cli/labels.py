"""Commands for labels: `label`, `unlabel`, `labels`, `undo`, `reset`, `refresh`, `feedback`."""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import DateOption, PipelineArgument, open_published, read_settings, say
from spot_oa.dates import parse_date
from spot_oa.errors import ConfigError, SpotOaError, UsageError, printable

if TYPE_CHECKING:
    from analyst.day import Day, Reply
    from analyst.live import LiveRow
    from analyst.selectors import Chosen
    from spot_oa.dates import Slice
    from spot_oa.pipelines import Triage
    from spot_oa.settings import Settings

labels = typer.Typer(no_args_is_help=True, help="Labels: show, export, import.")

SrcOption = Annotated[str | None, typer.Option("--src", help="flow: source address.")]
DstOption = Annotated[str | None, typer.Option("--dst", help="flow: destination address.")]
SportOption = Annotated[str | None, typer.Option("--sport", help="flow: source port.")]
DportOption = Annotated[str | None, typer.Option("--dport", help="flow: destination port.")]
IpOption = Annotated[str | None, typer.Option("--ip", help="flow: address at either end.")]
ClientOption = Annotated[str | None, typer.Option("--client", help="dns, proxy: client address.")]
QueryOption = Annotated[str | None, typer.Option("--query", help="dns: the queried name.")]
NameOption = Annotated[str | None, typer.Option("--name", help="dns: a name and all below it.")]
UriOption = Annotated[str | None, typer.Option("--uri", help="proxy: the full URI.")]
RanksOption = Annotated[str | None, typer.Option("--ranks", metavar="3,7-9", help="Rows by rank.")]
EachOption = Annotated[bool, typer.Option("--each", help="dns: label client and query separately.")]
NoteOption = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Write nothing.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON, one line per action.")]

_OPTIONS: Mapping[str, Sequence[str]] = {
    "src": ["srcip"],
    "dst": ["dstip"],
    "sport": ["sport"],
    "dport": ["dport"],
    "ip": ["ip"],
    "client": ["ip_dst", "clientip"],
    "query": ["dns_qry_name"],
    "name": ["name"],
    "uri": ["fulluri"],
}
"""Option -> the names of its value in selectors."""


def add_to(app: typer.Typer) -> None:
    """Add the commands to the console script."""
    for command in (label, unlabel, undo, reset, explain, rules, refresh, feedback):
        app.command()(command)
    app.add_typer(labels, name="labels")


def label(
    pipeline: PipelineArgument,
    *,
    date: DateOption,
    severity: Annotated[str, typer.Option("--severity", help="high, medium, low, or 1, 2, 3.")],
    src: SrcOption = None,
    dst: DstOption = None,
    sport: SportOption = None,
    dport: DportOption = None,
    ip: IpOption = None,
    client: ClientOption = None,
    query: QueryOption = None,
    name: NameOption = None,
    uri: UriOption = None,
    ranks: RanksOption = None,
    each: EachOption = False,
    note: NoteOption = "",
    only_open: Annotated[
        bool, typer.Option("--only-open", help="Skip rows that are scored or suppressed.")
    ] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Set the severity of the selected rows of a published day; the latest label wins."""
    from analyst.actions import parse_severity  # noqa: PLC0415
    from analyst.day import all_or_none  # noqa: PLC0415

    level = parse_severity(severity)
    options = _given(
        src=src, dst=dst, sport=sport, dport=dport, ip=ip, client=client, query=query, name=name,
        uri=uri,
    )  # fmt: skip
    day = open_published(pipeline, date)
    chosen = _numbers(ranks, options)
    if chosen is not None:
        acts = [partial(day.label_ranks, chosen, level, note=note, only_open=only_open)]
    else:
        acts = [
            partial(day.label, kind, selector, level, note=note, only_open=only_open)
            for kind, selector in select(day.triage, options, each=each)
        ]
    _answer(day, all_or_none(acts, dry_run=dry_run), as_json=as_json)


def unlabel(
    pipeline: PipelineArgument,
    *,
    date: DateOption,
    src: SrcOption = None,
    dst: DstOption = None,
    sport: SportOption = None,
    dport: DportOption = None,
    ip: IpOption = None,
    client: ClientOption = None,
    query: QueryOption = None,
    name: NameOption = None,
    uri: UriOption = None,
    ranks: RanksOption = None,
    each: EachOption = False,
    note: NoteOption = "",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove the severity of the selected rows of a published day."""
    from analyst.day import all_or_none  # noqa: PLC0415

    options = _given(
        src=src, dst=dst, sport=sport, dport=dport, ip=ip, client=client, query=query, name=name,
        uri=uri,
    )  # fmt: skip
    day = open_published(pipeline, date)
    chosen = _numbers(ranks, options)
    if chosen is not None:
        acts = [partial(day.clear_ranks, chosen, note=note)]
    else:
        acts = [
            partial(day.clear, kind, selector, note=note)
            for kind, selector in select(day.triage, options, each=each)
        ]
    _answer(day, all_or_none(acts, dry_run=dry_run), as_json=as_json)


def undo(
    action: Annotated[
        str,
        typer.Argument(metavar="ACTION|PIPELINE", help="An action id, or a pipeline with --date."),
    ],
    date: Annotated[
        str | None, typer.Option(metavar="DATE", help="Undo your own last action of this day.")
    ] = None,
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Undo one action; an undo can be undone too."""
    if date is not None:
        day = open_published(action, date)
        reply = day.undo(note=note)
    else:
        from analyst.day import check_dated  # noqa: PLC0415
        from analyst.store import open_store  # noqa: PLC0415

        asked = open_store(read_settings()).find(action)
        check_dated(asked)
        day = open_published(asked.pipeline, asked.day)
        reply = day.undo(asked.action_id, note=note)
    _answer(day, [reply], as_json=as_json)


def reset(
    pipeline: PipelineArgument,
    *,
    date: DateOption,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm the reset.")] = False,
    with_stories: Annotated[
        bool, typer.Option("--with-stories", help="Also reset the day's stories.")
    ] = False,
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Reset all labels of a day; nothing is deleted, and a reset can be undone."""
    day = open_published(pipeline, date)
    confirm = day.part.compact if yes else None
    _answer(day, [day.reset(confirm, with_stories=with_stories, note=note)], as_json=as_json)


def explain(
    pipeline: PipelineArgument,
    *,
    date: DateOption,
    rank: Annotated[int, typer.Option("--rank", help="The row, 0 for the most suspicious.")],
    as_json: JsonOption = False,
) -> None:
    """Explain why a row is suspicious, and what is known about its values; write nothing."""
    found = open_published(pipeline, date).explain(rank)
    for line in [json.dumps(found.as_json())] if as_json else found.lines:
        say(line)


def rules(
    pipeline: PipelineArgument,
    *,
    date: DateOption,
    apply: Annotated[
        list[str] | None,
        typer.Option("--apply", metavar="ID", help="Label the open rows of this rule permanently."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the rules of the rule file would score on a published day, or apply some."""
    day = open_published(pipeline, date)
    if apply:
        from analyst.day import all_or_none  # noqa: PLC0415

        acts = [partial(day.apply_standing, rule_id) for rule_id in apply]
        _answer(day, all_or_none(acts), as_json=as_json)
        return
    for rule, meant, reply in day.try_standing():
        on = "on" if rule.holds_on(day.part.date) else "off"
        fields = {"id": rule.id, "version": str(rule.version), "on": on == "on", "rows": meant,
                  "would_score": reply.changed, "severity": rule.severity.title}  # fmt: skip
        say(
            json.dumps(fields)
            if as_json
            else f"{rule.id} {rule.version} ({on}): {meant} rows, {reply.changed} would be scored "
            f"{rule.severity.title}  {printable(rule.title)}".rstrip()
        )
    if not day.rules and not as_json:
        say(f"{day.part}: no rules")


def show_labels_of_demo(settings: Settings, date: dt.date) -> None:
    """Label a few rows of the demo, refresh its triage, and show the first rows."""
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from analyst.day import open_day  # noqa: PLC0415
    from spot_oa.demo import CULPRITS  # noqa: PLC0415
    from spot_oa.publish import published_folder  # noqa: PLC0415
    from spot_oa.warehouse.published import read_rows  # noqa: PLC0415

    day = open_day("flow", date, settings=settings, author="demo", made_with="cli")
    there = {row[name] for row in day.published.rows for name in ("srcip", "dstip")}
    replies = [
        day.label("ip", {"ip": address}, "high", note=story, only_open=True)
        for story, address in CULPRITS.items()
        if address in there
    ]
    replies.append(
        day.label_ranks([len(day.published.rows) - 1], "low", note="backup", only_open=True)
    )
    _answer(day, replies, as_json=False)
    _refresh(settings, day.part)
    rows = read_rows(published_folder(settings.triage_dir, day.part) / "flow_triage.parquet")
    scored = [row for row in rows if row["severity"]]
    # Open rows come first, most suspicious first.
    table = Table(*_SHOWN, title="flow_triage: open rows, then scored rows", box=None)
    for row in [*rows[:3], *scored[:3]]:
        table.add_row(*(escape(printable(row[name])) for name in _SHOWN))
    Console(width=100).print(table)


_SHOWN = ("sort_order", "srcip", "dstip", "dport", "rank", "severity_name", "scored_by", "note")
"""The columns of flow_triage that the demo shows."""


def refresh(
    pipeline: Annotated[
        str, typer.Argument(metavar="PIPELINE|all", help="flow, proxy, dns or all.")
    ] = "all",
    *,
    date: Annotated[
        str | None, typer.Option(metavar="DATE", help="2016-07-08 or 20160708 (UTC).")
    ] = None,
    pending: Annotated[
        bool, typer.Option("--pending", help="Every day whose triage is out of date.")
    ] = False,
    accept_store: Annotated[
        bool,
        typer.Option("--accept-store", help="Accept a store that lacks published actions."),
    ] = False,
) -> None:
    """Rebuild a published day's triage tables and feedback from the analysts' actions."""
    from flows.run import labels as landing  # noqa: PLC0415
    from spot_oa.dates import Slice  # noqa: PLC0415
    from spot_oa.pipelines import get_pipeline, load_pipelines  # noqa: PLC0415

    settings = read_settings()
    described = load_pipelines(settings.pipelines_dir)
    if pipeline != "all":
        described = {pipeline: get_pipeline(pipeline, settings.pipelines_dir)}
    if pending == (date is not None):
        raise UsageError("refresh needs either --date, or --pending for all days that need it")
    if date is not None:
        day = parse_date(date)
        with_triage = [
            name for name, each in described.items() if each.triage or len(described) == 1
        ]
        parts = [Slice(name, day) for name in with_triage]
    else:
        parts = landing.pending(settings, described.values())
    failed = []
    for part in parts:
        try:
            _refresh(settings, part, accept_store=accept_store)
        except SpotOaError as error:
            if len(parts) == 1:
                raise
            failed.append(str(part))
            print(f"spot-oa: {printable(error)}", file=sys.stderr)  # noqa: T201
    if failed:
        raise SpotOaError(f"{len(failed)} of {len(parts)} days failed: {', '.join(failed)}")
    if not parts:
        say("the triage of every day is up to date")


def _refresh(settings: Settings, part: Slice, *, accept_store: bool = False) -> None:
    from rich.console import Console  # noqa: PLC0415

    from flows.cli.report import reporter  # noqa: PLC0415
    from flows.run.runner import refresh_day  # noqa: PLC0415

    with reporter(Console(), part) as shown:
        summary = refresh_day(settings, part.pipeline, part.date, shown, accept_store=accept_store)
    for warning in summary.warnings:
        say(f"warning: {warning}")
    say(f"triage: {summary.triage_folder}")


def feedback(
    pipeline: PipelineArgument,
    *,
    date: DateOption,
    days: Annotated[
        int | None,
        typer.Option(min=0, help="Earlier days delivered with it, not SPOT_OA_FEEDBACK_DAYS."),
    ] = None,
) -> None:
    """Write a day's labelled rows for the scorer, and deliver them to SPOT_OA_FEEDBACK_URI."""
    from analyst.delivery import deliver_feedback, keep_feedback  # noqa: PLC0415

    day, settings = open_published(pipeline, date), read_settings()
    if days is not None:
        settings = settings.model_copy(update={"feedback_days": days})
    own = day.feedback()
    kept = keep_feedback(settings, day.part, own)
    say(f"{kept or day.part}: {len(own.lines)} rows, left out: {own.left_out}")
    delivered = deliver_feedback(settings, day.pipeline, day.part.date)
    for uri, sent in delivered:
        say(f"{uri}: {len(sent.lines)} rows, left out: {sent.left_out}, cut: {sent.cut}")
    if not delivered:
        say(
            "not delivered: set SPOT_OA_FEEDBACK_URI, and add the pipeline to "
            "SPOT_OA_FEEDBACK_PIPELINES"
        )


@labels.command("show")
def show(
    pipeline: PipelineArgument,
    *,
    date: DateOption,
    only_open: Annotated[bool, typer.Option("--open", help="Only open rows.")] = False,
    scored: Annotated[bool, typer.Option("--scored", help="Only scored rows.")] = False,
    orphans: Annotated[
        bool, typer.Option("--orphans", help="Actions on rows that are no longer in the day.")
    ] = False,
    history: Annotated[bool, typer.Option("--history", help="All actions, in order.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the current labels from the store; the tables may be older."""
    if only_open + scored + orphans + history > 1:
        raise UsageError("--open, --scored, --orphans and --history: use only one of them")
    from analyst.actions import to_line  # noqa: PLC0415
    from analyst.state import alive  # noqa: PLC0415

    day = open_published(pipeline, date)
    if history or orphans:
        actions = day.orphans() if orphans else day.actions()
        holding = {each.action_id for each in alive(day.actions())}
        for each in actions:
            held = each.action_id in holding
            say(
                to_line(each)
                if as_json
                else _history_line(each.recorded_at, each.short_id, each.author, each.kind)
                + f" {each.severity if each.severity is not None else ''} "
                f"{each.selector or each.refers_to or ''} {each.row_count} rows"
                f"{'' if held else ' (taken back)'} {each.note or ''}".rstrip()
            )
        return
    rows = [row for row in day.in_order() if _is_wanted(row, only_open=only_open, scored=scored)]
    for row in rows:
        say(json.dumps(_row_json(row)) if as_json else _row_line(day, row))
    if not as_json:
        say(f"{day.part}: {len(rows)} rows")


@labels.command("export")
def export(
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="One pipeline, or all.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; overwritten.")],
    date: Annotated[str | None, typer.Option(metavar="DATE", help="Only this day.")] = None,
) -> None:
    """Export actions as lines of JSON, for a backup or for another store."""
    from analyst.store import open_store  # noqa: PLC0415
    from spot_oa.pipelines import get_pipeline  # noqa: PLC0415

    settings = read_settings()
    name = None if pipeline == "all" else get_pipeline(pipeline, settings.pipelines_dir).name
    day = parse_date(date).isoformat() if date is not None else None
    lines = list(open_store(settings).export(name, day))
    try:
        file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: {error}; use another file") from error
    say(f"{len(lines)} actions written to {file}")


@labels.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that export wrote.")],
) -> None:
    """Import exported actions; actions that are already stored are skipped."""
    from analyst.store import open_store  # noqa: PLC0415

    try:
        # Only LF ends a line.
        lines = file.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: {error}; use a file that `labels export` wrote") from error
    added, known = open_store(read_settings()).import_lines(
        [line for line in lines if line], str(file)
    )
    say(f"{added} actions imported, {known} already stored")


def select(triage: Triage, options: Mapping[str, str], *, each: bool = False) -> list[Chosen]:
    """Return the kinds of selectors for the given options.

    Args:
        triage: The triage description of the pipeline.
        options: Option without its dashes -> value.
        each: One action per value.

    Raises:
        UsageError: Nothing is selected, or the options cannot be combined.
    """
    from analyst.selectors import chosen  # noqa: PLC0415

    if "name" in options and len(options) > 1:
        raise UsageError("--name cannot be combined with other selectors: leave them out")
    kinds = triage.kinds
    known = {value for match in kinds.values() for value in match.by}
    given: dict[str, str] = {}
    for option, text in options.items():
        value = next((value for value in _OPTIONS[option] if value in known), None)
        if value is None:
            raise UsageError(f"--{option} cannot select rows of this pipeline")
        given[value] = text
    return chosen(triage, given, each=each)


def _given(**options: str | None) -> dict[str, str]:
    return {name: value for name, value in options.items() if value is not None}


def _numbers(ranks: str | None, options: Mapping[str, str]) -> list[int] | None:
    """Parse ranks such as `3,7-9`; return None if none are given."""
    if ranks is None:
        return None
    if options:
        raise UsageError("--ranks cannot be combined with other selectors: leave them out")
    numbers: list[int] = []
    for part in ranks.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,9})(?:-([0-9]{1,9}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first or last - first > _MOST_RANKS:
            raise UsageError(f"--ranks {printable(ranks)!r}: write it as 3,7-9")
        numbers += range(first, last + 1)
    return numbers


_MOST_RANKS = 1_000_000


def _answer(day: Day, replies: Iterable[Reply], *, as_json: bool) -> None:
    for reply in replies:
        of_day = {"pipeline": day.part.pipeline, "date": day.part.date.isoformat()}
        say(json.dumps(of_day | reply.as_json()) if as_json else f"{day.part}: {reply}")


def _history_line(when: str, action_id: str, author: str, kind: str) -> str:
    return f"{when[:19].replace('T', ' ')} {action_id} {author} {kind}"


def _is_wanted(row: LiveRow, *, only_open: bool, scored: bool) -> bool:
    if only_open:
        return row.is_open
    return bool(row.severity) if scored else True


def _row_line(day: Day, row: LiveRow) -> str:
    rank = "-" if row.rank is None else row.rank
    key = " ".join(str(row.row[name]) for name in day.triage.key)
    who = f" ({row.action.author})" if row.action else ""
    return f"{rank} {row.severity.title}{who}: {key[:_WIDTH]}"


_WIDTH = 160


def _row_json(row: LiveRow) -> dict[str, object]:
    action = row.action
    return {
        "rank": row.rank,
        "severity": int(row.severity),
        **row.severities,
        "is_open": row.is_open,
        "scored_by": action.author if action else None,
        "action_id": action.action_id if action else None,
        "note": action.note if action else None,
        "row": dict(row.row),
    }
