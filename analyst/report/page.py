"""The page of a day: a single self-contained HTML file."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from analyst import pictures
from analyst.pictures.chord import LINES
from analyst.pictures.svg import style as picture_style
from analyst.pictures.text import NONE, WHOLE, bad, clock, cut, key, many, number, size, t
from analyst.pictures.timeline import Gap
from analyst.report import facts
from analyst.report.day import Published, Source
from analyst.report.facts import BAD, REASONS, Event, Facts, Host, Verdict
from analyst.report.shapes import Column
from python_enrichers.domain import split_name
from spot_oa.errors import printable

ROWS = 1000
"""Maximum number of rows in a pipeline's table; the Parquet file has all of them."""
HOSTS = 12
CHORDS = 24
TREES = 12
TALKERS = 5
LISTED = 30
"""Maximum number of values in a list of changes."""
PRINTED = 100
_CELL = 60
_WORD = 2000
_LINES_TOGETHER = 70
_FEW, _FEWER = 900, 2000
_WORDS = ("rows", "raw", "known")
"""The parts of the data whose texts are numbers of words."""
_BARE = ("number", "bytes", "place")
"""The kinds of columns whose values do not say what they are."""
_PARTS = re.compile("(: |; )")
_SEVERITIES = {1: "High", 2: "Medium", 3: "Low"}


def page(day: Published) -> str:
    """Return the page.

    Equal Parquet, manifests and triage give equal bytes: the page does not depend on the machine
    or the time.
    """
    known = facts.find(day)
    body = "".join(
        [
            _bar(day),
            f"<main>{_headline(day, known)}",
            _tiles(day, known),
            _hosts(day, known),
            _the_day(day, known),
            _events(day, known),
            _who(day, known),
            _names(day, known),
            _places(day),
            _scores(day, known),
            _changes(known),
            _sources(day),
            "</main>",
            '<p id="pill" role="status" hidden></p>',
            f'<script type="application/json" id="data">{_data(day, known)}</script>',
        ]
    )
    return document(f"{day.date} · spot-oa", body, style=_tabs(len(day.sources)) + _cell_heads(day))


def document(title: str, body: str, *, style: str = "") -> str:
    """Return an HTML page whose policy allows only our own script and style."""
    style = static("report.css") + picture_style() + style
    script = static("report.js")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{t(title)}</title><style>{style}</style></head>"
        f"<body>{body}<script>{script}</script></body></html>\n"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def static(name: str) -> str:
    """Return a packaged file of the `static` folder."""
    return (Path(__file__).parent / "static" / name).read_text("utf-8")


def _tabs(count: int) -> str:
    """Return the rules that show the panel of the chosen tab, also without a script."""
    shown = "".join(
        f".tabs>input:nth-of-type({place}):checked~.panel:nth-of-type({place}){{display:block}}"
        f".tabs>input:nth-of-type({place}):checked~label:nth-of-type({place}){{{_CHOSEN}}}"
        for place in range(1, count + 1)
    )
    return f"@media screen{{{shown}}}"


def _cell_heads(day: Published) -> str:
    """Return the rules by which a narrow screen, without a head row, names the cells of a row."""
    rules = "".join(
        f".panel[data-p={source.name}] tr[data-i]>td:nth-child({place})"
        f":before{{content:{_css_string(head)}}}"
        for source in day.sources
        for place, head in _named(source).items()
    )
    return f"@media screen and (max-width:700px){{tr[data-i]>td:before{{color:var(--dim)}}{rules}}}"


def _named(source: Source) -> dict[int, str]:
    """Return the heads of the columns whose values need one, by the column's number from 1."""
    heads = [column.head if column.kind in _BARE else "" for column in source.shape.columns]
    more = [("scored", source.severities), ("reasons", source.whys)]
    heads += [head for head, values in more if values]
    return {place: head for place, head in enumerate(heads, 3) if head}


def _css_string(text: str) -> str:
    """Return a text as a string of CSS, which may contain anything."""
    shown = "".join(
        char if char.isascii() and (char.isalnum() or char == " ") else f"\\{ord(char):x} "
        for char in text
    )
    return f'"{shown} "'


_CHOSEN = "background:var(--card);border-color:var(--line);font-weight:bold"


# -- head ---------------------------------------------------------------------------------------


def _bar(day: Published) -> str:
    anchors = {
        "first": "Look first",
        "day": "The day",
        "events": "The suspicious",
        "who": "Who talks to whom",
        "names": "Names",
        "places": "Places",
        "scores": "Scores",
        "changed": "Changed",
        "sources": "Sources and files",
    }
    links = "".join(f'<a href="#{name}">{shown}</a>' for name, shown in anchors.items())
    near = [
        f'<a href="{date:%Y%m%d}.html">{shown}</a>'
        for date, shown in (
            (day.previous, f"← {day.previous}"),
            (day.next, f"{day.next} →"),
        )
        if date is not None
    ]
    days = f'<a href="index.html">All days</a>{"".join(near)}'
    return f'<nav>{links}<span class="near">{days}</span></nav>'


def _headline(day: Published, known: Facts) -> str:
    if known.hosts:
        host = known.hosts[0]
        name = f" ({t(host.called)})" if host.called else ""
        there = f"{len(host.rows)} of {len(day.sources)} sources"
        ratings = ", ".join(str(each) for each in host.verdicts[:3])
        sentence = (
            f"<b>{_pick(host.address)}</b>{name} stands out: suspicious in {there}"
            f"{f', with {t(cut(ratings, 120))}' if ratings else ''}."
        )
    else:
        sentence = "Nothing suspicious is published."
    return (
        f"<header><h1>{day.date:%A}, {day.date.day} {day.date:%B %Y}</h1>"
        f"<p>What looked improbable in the network on this day (UTC). {sentence}</p></header>"
    )


def _tiles(day: Published, known: Facts) -> str:
    rows = {name: len(events) for name, events in known.events.items()}
    per = ", ".join(f"{name} {many_of}" for name, many_of in rows.items())
    silent = sum(gap.end - gap.first for source in day.sources for gap in _gaps(source))
    compared = any(each.days for each in known.changed)
    warnings = sum(len(_warnings(source)) for source in day.sources)
    everywhere = sum(len(host.rows) == len(day.sources) for host in known.hosts)
    hosts = "host" if everywhere == 1 else "hosts"
    evil = "bad" if known.count(BAD) else ""
    tiles = [
        (number(sum(rows.values())), f"suspicious events: {per}", ""),
        (number(known.count(BAD)), "▲ with a known bad end, name or URI", evil),
        (
            number(known.count(facts.NEW)) if compared else NONE,
            "with something new" if compared else "new: no earlier day is published",
            "",
        ),
        *(
            [(number(everywhere), f"{hosts} suspicious in all {len(day.sources)} sources", "")]
            if len(day.sources) > 1
            else []
        ),
        (
            many(silent, "min") if silent else "none",
            "of gaps in the received data",
            "warn" if silent else "",
        ),
        (number(warnings), "warnings of the runs", "warn" if warnings else ""),
        *(
            (_scored(source), f"{source.name}: scored by analysts", "")
            for source in day.sources
            if source.severities
        ),
        *((NONE, f"{name} is not published", "warn") for name in day.missing),
    ]
    shown = "".join(
        f'<li class="{css}"><b>{t(value)}</b><span>{t(caption)}</span></li>'
        for value, caption, css in tiles
    )
    return f'<ul class="tiles">{shown}</ul>'


def _scored(source: Source) -> str:
    counts = Counter(severity for severity, _ in source.severities if severity)
    if not counts:
        return "none"
    return ", ".join(f"{counts[each]} {_SEVERITIES.get(each, each)}" for each in sorted(counts))


def _warnings(source: Source) -> list[str]:
    given = source.manifest.get("warnings")
    return [*source.notes, *(map(str, given) if isinstance(given, list) else ())]


def _gaps(source: Source) -> list[Gap]:
    return pictures.gaps(source.table("ingest_summary"))


# -- hosts --------------------------------------------------------------------------------------


def _hosts(day: Published, known: Facts) -> str:
    names = [source.name for source in day.sources]
    head = "".join(f'<th class="n">{t(name)}' for name in names)
    rows = "".join(_host(host, names) for host in known.hosts[:HOSTS])
    more = len(known.hosts) - HOSTS
    foot = f"<p>{many(more, 'more host')} in the tables below.</p>" if more > 0 else ""
    table = (
        f'<table><thead><tr><th>host<th>called{head}<th class="n">best rank<th>why</thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    return _section(
        "first",
        "Hosts to look at first",
        "Known bad contacts first, then the best rank in any source. Choose an address to see it "
        "everywhere on this page.",
        _card((table + foot) if rows else "<p>No host is suspicious.</p>"),
    )


def _host(host: Host, names: Sequence[str]) -> str:
    rows = "".join(f'<td class="n" data-h="{t(name)}">{host.rows[name] or NONE}' for name in names)
    why = "".join(map(_verdict, host.verdicts[:3])) + "".join(map(_reason, host.reasons))
    return (
        f"<tr><td>{_pick(host.address)}<td>{t(cut(host.called, _CELL))}{rows}"
        f'<td class="n" data-h="best rank">{host.best}<td>{why}'
    )


def _verdict(verdict: Verdict) -> str:
    known = verdict.severity >= facts.KNOWN_BAD
    css = " bad" if known else " sus" if verdict.severity > 0 else ""
    return f'<i class="r{css}">{t(bad(cut(verdict, 40), known))}</i> '


def _reason(reason: str) -> str:
    return f'<i class="r">{reason}</i> '


def _pick(value: object, length: int = _CELL) -> str:
    """Return a value that is highlighted everywhere on the page when it is chosen."""
    whole, shown = key(value), cut(value, length)
    named = "" if whole == shown else f' data-k="{t(whole)}" title="{t(cut(value, WHOLE))}"'
    return f'<b class="p"{named}>{t(shown)}</b>'


# -- pictures -----------------------------------------------------------------------------------


def _the_day(day: Published, known: Facts) -> str:
    bands = [
        pictures.Band(
            source.name, source.table("ingest_summary"), facts.marks(known.events[source.name])
        )
        for source in day.sources
    ]
    gaps = [f"{source.name}: {gap}" for source in day.sources for gap in _gaps(source)]
    listed = "".join(f"<li>{t(gap)}" for gap in gaps)
    details = f"<details><summary>{many(len(gaps), 'gap')}</summary><ul>{listed}</ul></details>"
    return _section(
        "day",
        "The day, minute by minute",
        "Events received, in five-minute steps; below them the suspicious events, ▲ known bad in a "
        "separate row. Orange bands are gaps: nothing was received, although at the source's usual "
        "rate a dozen events or more were due.",
        _card(_wide(pictures.timeline(bands)) + (details if gaps else "<p>No gaps.</p>")),
    )


def _who(day: Published, known: Facts) -> str:
    drawn = []
    for source in day.sources:
        chords = source.table("chords")
        if source.name != "flow":
            continue
        scores = source.table("scores")
        drawn.append(_card(_wide(pictures.network(scores, known.known_bad))))
        hubs = facts.hubs(chords, known)
        each = _stacked(
            (f"{hub} ({peers})", peers, pictures.chord(chords, hub, known.known_bad))
            for hub, peers in hubs[:CHORDS]
        )
        note = (
            f"{len(hubs) - CHORDS} more addresses are in flow_chords." if len(hubs) > CHORDS else ""
        )
        if each:
            drawn.append(_card(_choice("Address", each, note)))
    return _section(
        "who",
        "Who talks to whom",
        "First all suspicious connections; then the whole day's traffic of an address that has "
        "several suspicious peers, with each of them. Bytes are those that the originator of each "
        "flow sent; answers are not counted.",
        "".join(drawn) or _card("<p>Flow is not published.</p>"),
    )


def _stacked(drawn: Iterable[tuple[str, int, str]]) -> list[tuple[str, str]]:
    """Group small chord pictures into pages of limited height; return their names and SVG."""
    pages: list[tuple[str, str]] = []
    room = 0
    for name, peers, svg in drawn:
        lines = max(min(peers, LINES), 6) + 5
        if pages and lines <= room:
            names, before = pages[-1]
            pages[-1] = f"{names}, {name}", before + svg
        else:
            pages.append((name, svg))
            room = _LINES_TOGETHER
        room -= lines
    return pages


def _names(day: Published, known: Facts) -> str:
    source = next((each for each in day.sources if each.name == "dns"), None)
    intro = (
        "Names that suspicious clients queried, by registered domain. Full dots are names of "
        "suspicious answers."
    )
    if source is None:
        return _section("names", "Names", intro, _card("<p>DNS is not published.</p>"))
    dendro = source.table("dendro")
    asked = Counter(
        client
        for client, _ in {
            (str(each.row["ip_dst"]), str(each.row["dns_qry_name"]))
            for each in known.events["dns"]
            if each.row.get("ip_dst") and each.row.get("dns_qry_name") is not None
        }
    )
    drawn_of = set(dendro["ip_dst"].tolist()) if "ip_dst" in dendro.columns else set()
    suspicious = {
        str(each.row["dns_qry_name"])
        for each in known.events["dns"]
        if each.row.get("dns_qry_name") is not None
    }
    order = sorted((each for each in asked if each in drawn_of), key=lambda ip: (-asked[ip], ip))
    trees = [
        (
            f"{client} · {many(asked[client], 'suspicious name')}",
            pictures.tree(dendro, client, suspicious, _registered, known.known_bad),
        )
        for client in order[:TREES]
    ]
    note = f"{len(order) - TREES} more clients are in dns_dendro." if len(order) > TREES else ""
    body = _choice("Client", trees, note) if trees else "<p>No client's names are published.</p>"
    return _section("names", "Names", intro, _card(body))


def _registered(name: str) -> str:
    return split_name(name)[0]


def _places(day: Published) -> str:
    maps = [facts.outside(source) for source in day.sources if "addresses" in source.tables]
    drawn = "".join(
        _card(_wide(pictures.worldmap(each)))
        if each["latitude"].notna().any()
        else _card(f"<p>No map: {many(len(each), 'address', 'addresses')} without a position.</p>")
        for each in maps
        if len(each)
    )
    listed = facts.place_counts(day.sources)
    if len(listed):
        drawn += _card(_wide(pictures.places(listed)))
    return _section(
        "places",
        "Places",
        "Locations of the ends of suspicious connections, as far as they were looked up.",
        drawn or _card("<p>No place is known.</p>"),
    )


def _scores(day: Published, known: Facts) -> str:
    bands = {source.name: facts.marks(known.events[source.name]) for source in day.sources}
    rows = ""
    for source in day.sources:
        found = facts.talkers(source, known.events[source.name], TALKERS)
        if found:
            what = "sent most" if source.shape.sent else "most events"
            rows += f'<tr><th colspan="3">{t(source.name)}: {what}'
        for end, events, sent in found:
            rows += (
                f'<tr><td>{_pick(end)}<td class="n" data-h="events">{number(events)}'
                f'<td class="n" data-h="bytes">{size(sent)}'
            )
    table = (
        "<h3>Top talkers among the suspicious</h3>"
        '<table><thead><tr><th>address<th class="n">events<th class="n">bytes</thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    both = _card(_wide(pictures.scores(bands))) + _card(table if rows else "<p>No talkers.</p>")
    return _section(
        "scores",
        "Scores",
        "The lower a score, the less probable the event. ▲ known bad is drawn below the line: it "
        "is on the left if the scorer separates it well.",
        f'<div class="two">{both}</div>',
    )


# -- tables -------------------------------------------------------------------------------------


def _events(day: Published, known: Facts) -> str:
    inputs, labels, panels = [], [], []
    for place, source in enumerate(day.sources):
        events = known.events[source.name]
        checked = "" if place else " checked"
        title = source.pipeline.title
        inputs.append(
            f'<input type="radio" name="tab" id="tab{place}"{checked} aria-label="{t(title)}">'
        )
        labels.append(
            f'<label for="tab{place}">{t(title)} <small>{number(len(events))}</small></label>'
        )
        panels.append(_panel(source, events))
    return _section(
        "events",
        "Suspicious events",
        "Click a row, or press Enter on it, for all its fields and the raw events behind it; arrow "
        "keys move. <kbd>/</kbd> finds, <kbd>Esc</kbd> clears, <kbd>-word</kbd> excludes.",
        f'<div class="tabs">{"".join(inputs)}{"".join(labels)}{"".join(panels)}</div>',
    )


def _panel(source: Source, events: Sequence[Event]) -> str:
    shown = events[:ROWS]
    labelled, reasoned = bool(source.severities), bool(source.whys)
    heads = "".join(_head(column) for column in source.shape.columns)
    usual = {
        reason
        for reason in REASONS
        if reason != BAD and 2 * sum(reason in each.reasons for each in shown) > len(shown)
    }
    rows = "".join(
        _row(source, event, place, usual, labelled=labelled, reasoned=reasoned)
        for place, event in enumerate(shown)
    )
    chips = "".join(
        f'<button type="button" class="chip" data-r="{reason}" aria-pressed="false">{reason} '
        f"{sum(reason in each.reasons for each in shown)}</button>"
        for reason in REASONS
        if any(reason in each.reasons for each in shown)
    )
    name = source.name
    counted = many(len(shown), "row")
    if len(events) > ROWS:
        counted = f"{number(len(shown))} of {number(len(events))}; all in {name}_scores.parquet"
    scored = ("<th>scored" if labelled else "") + ("<th>reasons" if reasoned else "")
    return (
        f'<section class="panel" data-p="{t(name)}"><h3>{t(source.pipeline.title)}</h3>'
        f'<div class="find"><input type="search" class="js" placeholder="Find in {counted}" '
        f'aria-label="Find in {t(source.pipeline.title)}">{chips}'
        f'<output>{counted}</output></div><div class="scroll"><table class="events"><thead><tr>'
        f'<th class="n" aria-sort="ascending">rank<th>time{heads}{scored}<th>why look</thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _head(column: Column) -> str:
    css = ' class="n"' if column.kind in ("number", "bytes") else ""
    return f"<th{css}>{t(column.head)}"


def _row(
    source: Source, event: Event, place: int, usual: set[str], *, labelled: bool, reasoned: bool
) -> str:
    cells = "".join(_value(event, column) for column in source.shape.columns)
    why = "".join(map(_verdict, event.verdicts)) + "".join(
        _reason(each) for each in event.reasons if each != BAD and each not in usual
    )
    severity, author = event.severity
    label = f"{_SEVERITIES.get(severity, severity)}, {author}" if severity else NONE
    scored = f"<td>{t(cut(label, 40))}" if labelled else ""
    if reasoned:
        scored += f'<td class="why">{t(event.why) if event.why else NONE}'
    time = NONE if event.minute is None else clock(event.minute)
    reasons = "|".join(event.reasons)
    return (
        f'<tr data-i="{place}"{f" data-r={chr(34)}{reasons}{chr(34)}" if reasons else ""}>'
        f"<td>{event.rank}<td>{time}{cells}{scored}<td>{why}"
    )


def _value(event: Event, column: Column) -> str:
    values = [event.row.get(name) for name in column.names]
    present = [value for value in values if value is not None and value != ""]
    if column.kind == "pick":
        return f"<td>{_pick(present[0], 42)}" if present else f"<td>{NONE}"
    if column.kind in ("number", "bytes"):
        counts = [value for value in present if isinstance(value, (int, float))]
        total = sum(counts) if counts else None
        shown = size(total) if column.kind == "bytes" else (NONE if total is None else str(total))
        sort = "" if total is None or shown == str(total) else f' data-v="{total}"'
        return f'<td class="n"{sort}>{shown}'
    if column.kind == "place":
        shown = " → ".join(filter(None, map(facts.place_of, values)))
        return f'<td class="at">{t(cut(shown, _CELL)) if shown else NONE}'
    shown = " ".join(map(str, present))
    return f"<td>{t(cut(shown, _CELL)) if shown else NONE}"


# -- changes and sources ------------------------------------------------------------------------


def _changes(known: Facts) -> str:
    parts = []
    for each in known.changed:
        if not each.days:
            parts.append(
                f"<p><b>{t(each.pipeline)}</b>: none of the 7 days before is published, so nothing "
                "can be called new.</p>"
            )
            continue
        new = sorted(each.new, key=lambda value: (-each.new[value], value))
        days = many(each.days, "published day")
        parts.append(
            f"<h3>{t(each.pipeline)}: {many(len(new), 'new end or name', 'new ends or names')} "
            f"compared with {days} of the 7 before</h3>{_listed(new, each.new)}"
            f"<p>{number(len(each.gone))} of the last day before are gone.</p>"
            f"{_listed(each.gone, {})}"
        )
    return _section("changed", "Changed", "", _card("".join(parts)))


def _listed(values: Sequence[str], counts: Mapping[str, int]) -> str:
    if not values:
        return ""
    shown = "".join(
        f"<li>{_pick(value)}{f' {counts[value]}' if value in counts else ''}"
        for value in values[:LISTED]
    )
    more = len(values) - LISTED
    return f'<ul class="many">{shown}{f"<li>and {number(more)} more" if more > 0 else ""}</ul>'


def _sources(day: Published) -> str:
    cards = "".join(_card(_source(source, day.date)) for source in day.sources)
    missing = "".join(_card(f"<p>{t(name)} is not published.</p>") for name in day.missing)
    return _section(
        "sources",
        "Sources, warnings and files",
        "",
        f'<div class="three">{cards}{missing}</div>'
        "<footer>Control characters in text from traffic are shown as \\x... This page shows the "
        "content of the Parquet files.</footer>",
    )


def _source(source: Source, date: dt.date) -> str:
    manifest = source.manifest
    warnings = "".join(f"<li>{t(cut(each, 400))}" for each in _warnings(source))
    rows, attributions = "", dict[str, None]()
    for each in _maps(manifest.get("sources")):
        status = str(each.get("status", ""))
        css = "ok" if status == "ok" else "warn"
        detail = t(cut(each.get("detail") or "", 200))
        rows += (
            f"<tr><td>{t(cut(each.get('source', ''), 60))}<br><small>{detail}</small>"
            f'<td><i class="r {css}">{t(cut(status, 20))}</i>'
            f'<td class="n" data-h="asked">{t(each.get("asked", NONE))}'
            f'<td class="n" data-h="found">{t(each.get("found", NONE))}'
        )
        if each.get("attribution"):
            attributions[str(each["attribution"])] = None
    table = (
        '<table><thead><tr><th>source<th><th class="n">asked<th class="n">found</thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    tables = manifest.get("tables")
    files = "".join(
        f'<li><a href="../{source.name}/{date:%Y%m%d}/{name}.parquet">{name}.parquet</a> '
        f"{number(rows_of)}"
        for name, rows_of in _files(source, tables)
    )
    landed = manifest.get("input")
    hashed = str(landed.get("source_sha256", ""))[:12] if isinstance(landed, dict) else ""
    credit = "".join(f"<p><small>{t(cut(each, WHOLE))}</small></p>" for each in attributions)
    return (
        f"<h3>{t(source.pipeline.title)}</h3>"
        f"{f'<ul>{warnings}</ul>' if warnings else '<p>No warnings.</p>'}"
        f"{table if rows else '<p>Nothing was looked up.</p>'}{credit}"
        f'<ul class="many">{files}<li><a href="../{source.name}/{date:%Y%m%d}/manifest.json">'
        f"manifest.json</a></ul><p><small>run {t(manifest.get('run_id', NONE))}, limit "
        f"{t(manifest.get('limit', NONE))}, input sha256 {t(hashed or NONE)}</small></p>"
        f"{_notebooks(source, date)}"
    )


def _notebooks(source: Source, date: dt.date) -> str:
    """Return the command for working on the day; a static page cannot open a notebook."""
    if source.pipeline.triage is None or not source.pipeline.triage.tables:
        return ""
    called = f"spot-oa notebook {source.name} --date {date}"
    return f"<p><small>work on it: <code>{t(called)}</code></small></p>"


def _files(source: Source, tables: object) -> Iterator[tuple[str, int | None]]:
    for name in source.pipeline.tables:
        entry = tables.get(name) if isinstance(tables, dict) else None
        rows = entry.get("rows") if isinstance(entry, dict) else None
        yield name, rows if isinstance(rows, int) else None


def _maps(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


# -- data of the details ------------------------------------------------------------------------


def _data(day: Published, known: Facts) -> str:
    """Return the fields and raw events of every row as JSON, with all texts in one list."""
    total = sum(len(events) for events in known.events.values())
    most = 20 if total <= _FEW else 6 if total <= _FEWER else 2
    tables: dict[str, dict[str, Any]] = {}
    for source in day.sources:
        events = known.events[source.name][:ROWS]
        names = [n for n in map(str, source.table("scores").columns) if n not in ("y", "m", "d")]
        edge = source.table("edge")
        columns = [n for n in map(str, edge.columns) if n not in ("y", "m", "d")]
        found = facts.behind(source, events, most)
        used = sorted({place for _, places in found for place in places})
        index = {place: i for i, place in enumerate(used)}
        values = {name: edge[name].tolist() for name in columns}
        explained = islice(facts.explanations(source, known.events[source.name], day), ROWS)
        tables[source.name] = {
            "columns": names,
            "edge": columns,
            "of": [[number_of, *(index[place] for place in places)] for number_of, places in found],
            "rows": [[_word(event.row.get(name)) for name in names] for event in events],
            "raw": [[_word(values[name][place]) for name in columns] for place in used],
            # Many rows share what follows "10.0.0.1: ", or a score.
            "known": [
                [
                    [what, *(_PARTS.split(_word(text)) for text in texts)]
                    for what, texts in rows
                    if texts
                ]
                for rows in (topics.items() for topics in explained)
            ],
        }
    # The most frequent texts have the shortest numbers.
    uses = Counter(_texts([[table[part] for part in _WORDS] for table in tables.values()]))
    numbers = {text: place for place, text in enumerate(sorted(uses, key=lambda each: -uses[each]))}
    for table in tables.values():
        table |= {part: _numbered(table[part], numbers) for part in _WORDS}
    text = json.dumps(
        {"date": f"{day.date}", "words": list(numbers), "tables": tables},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _texts(nested: Any) -> Iterator[str]:
    if isinstance(nested, str):
        yield nested
    else:
        for each in nested:
            yield from _texts(each)


def _numbered(nested: Any, numbers: Mapping[str, int]) -> Any:
    if isinstance(nested, str):
        return numbers[nested]
    return [_numbered(each, numbers) for each in nested]


def _word(value: object) -> str:
    if value is None:
        return ""
    shown = f"{value:g}" if isinstance(value, float) else printable(value)
    return shown if len(shown) <= _WORD else f"{cut(shown, _WORD)} ({len(shown):,} characters)"


# -- frames -------------------------------------------------------------------------------------


def _section(name: str, head: str, intro: str, body: str) -> str:
    lead = f"<p>{intro}</p>" if intro else ""
    return f'<section id="{name}"><h2>{head}</h2>{lead}{body}</section>'


def _card(body: str) -> str:
    return f'<div class="card">{body}</div>'


def _wide(svg: str) -> str:
    return f'<div class="wide">{svg}</div>'


def _choice(label: str, drawn: Iterable[tuple[str, str]], note: str) -> str:
    """Return several pictures: shown one at a time with a script, all at once without."""
    each = list(drawn)
    options = "".join(f"<option>{t(cut(name, _CELL))}" for name, _ in each)
    select = f'<label class="choose">{label} <select>{options}</select></label>'
    shown = "".join(f'<div class="wide one">{svg}</div>' for _, svg in each)
    more = f"<p>{note}</p>" if note else ""
    return f'<div class="choice">{select if len(each) > 1 else ""}{shown}</div>{more}'
