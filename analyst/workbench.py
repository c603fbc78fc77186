"""A day in notebooks: the actions of the command line, plus tables, pictures and SQL.

`open_day` finds the data from the notebook's own folder, so a copy works wherever JupyterLab was
started, and after home was moved.
"""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from analyst import delivery, pictures, state
from analyst.actions import Action, Kind, Severity
from analyst.day import Day, Reply
from analyst.feedback import COLUMNS
from analyst.known import Before
from analyst.listing import PAGE, Listing
from analyst.live import LiveRow
from analyst.notebooks.places import folder_of, home_of, newer
from analyst.pictures.notebook import Picture
from analyst.pictures.text import many
from analyst.published import PublishedDay, read_manifest
from analyst.report import facts
from analyst.report.day import Published, Source, published_dates, read
from analyst.report.facts import BAD, Event, Facts
from analyst.report.index import month
from analyst.store import Decide, SqliteStore, open_store
from python_enrichers.domain import split_name
from python_enrichers.network_context import load_local
from spot_oa.dates import Slice, parse_date
from spot_oa.errors import ConfigError, SpotOaError, UsageError, printable
from spot_oa.ingest.store import telemetry_root
from spot_oa.lock import is_held
from spot_oa.pipelines import Pipeline, get_pipeline, load_pipelines
from spot_oa.publish import published_folder
from spot_oa.settings import Settings, handed_on, home_is_set, load_settings
from spot_oa.warehouse.duckdb.asking import RawDay, ask

COFF = 250
"""Maximum number of values in a list."""
_HISTORY = 20
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Keep MathJax away from pandas' own tables too: a name may contain `$`.
pd.set_option("display.html.use_mathjax", False)  # noqa: FBT003


class Workbench(Day):
    """A published day with the views for analysts; see `analyst.day.Day` for the actions."""

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        part: Slice,
        store: SqliteStore,
        *,
        author: str,
        nwloc: str | Path | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.changed: list[Callable[[], None]] = []
        """Called after each action that is written here and after a reload: panels redraw."""
        self.notes = list(notes)
        super().__init__(settings, pipeline, part, store, author=author, made_with="notebook")
        self._nwloc = self._names_file(nwloc)

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self._settings

    @property
    def author(self) -> str:
        """The author of the actions."""
        return self._author

    # -- the day ----------------------------------------------------------------------------

    def state(self) -> dict[str, object]:
        """Return the current state of the day, by name."""
        rows, actions = self.rows(), self.actions()
        counted = Counter(each.severity for each in rows if each.severity)
        scored = ", ".join(f"{counted[each]} {each.title}" for each in Severity if each)
        last = actions[-1] if actions else None
        state_of_day = {
            "rows": len(rows),
            "open": sum(each.is_open for each in rows),
            "suppressed": sum(each.suppressed is not None for each in rows) or None,
            "scored": scored,
            "labels on missing rows": len(self.orphans()) or None,
            "last action": last and f"{_when(last)} by {last.author}: {last.kind}",
            "run": self.published.run_id,
            "you are": self.author,
        }
        return {name: value for name, value in state_of_day.items() if value is not None}

    def warnings(self) -> list[str]:
        """Return the warnings about the day and its notebooks, one line each."""
        manifest = read_manifest(published_folder(self.settings.data_dir, self.part)) or {}
        of_run = manifest.get("warnings")
        there = newer(folder_of(self.settings, self.part))
        return [
            *self.notes,
            *(f"a newer template is in this folder: {name}" for name in there),
            *(str(each) for each in (of_run if isinstance(of_run, list) else ())),
        ]

    def __repr__(self) -> str:
        lines = [f"{name}: {printable(value)}" for name, value in self.state().items()]
        return "\n".join([str(self.part), *lines, *map(printable, self.warnings())])

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        rows = [*self.state().items(), *(("warning", each) for each in self.warnings())]
        frame = pd.DataFrame(rows, columns=["", " "], dtype=object)
        shown = Listing(frame, f"{self.pipeline.title}, {self.part.date}")
        return {"text/html": shown.as_html(), "text/plain": repr(self)}

    # -- frames and tables ------------------------------------------------------------------

    def scores(self) -> pd.DataFrame:
        """Return the suspicious rows as published, most suspicious first."""
        return _typed(_frame([dict(row) for row in self.published.rows], self._columns))

    def labelled(self) -> pd.DataFrame:
        """Return the same rows with their severities, authors and notes."""
        judged = ("severity", "severity_name", "is_open", "scored_by", "note")
        columns = [*self._columns, "rank", *self.triage.targets.values(), *judged]
        rows = [
            {
                **each.row,
                "rank": each.rank,
                **each.severities,
                "severity": int(each.severity),
                "severity_name": each.severity.title,
                "is_open": int(each.is_open),
                "scored_by": each.action.author if each.action else None,
                "note": each.action.note if each.action else None,
            }
            for each in self.rows()
        ]
        return _typed(_frame(rows, dict.fromkeys(columns)))

    @property
    def _columns(self) -> Sequence[str]:
        return [str(name) for name in self.source.table("scores").columns]

    def table(self, page: int = 1, size: int = PAGE) -> Listing:
        """Return the rows in saving order: open rows first, most suspicious first.

        Args:
            page: The page, counted from 1.
            size: Number of rows per page.
        """
        ordered = self.in_order()
        rows = []
        for each in ordered:
            event = self.event_of(each)
            line: dict[str, object] = {"rank": event.rank, "severity": each.severity.title}
            for column in self.source.shape.columns:
                values = [each.row.get(name) for name in column.names]
                line[column.head] = _cell(column.kind, values)
            names = [name for end in event.ends if (name := self.called.get(end, ""))]
            line["called"] = ", ".join(dict.fromkeys(names))
            line["why look"] = ", ".join([*map(str, event.verdicts), *_other(event)])
            line["by"] = each.action.author if each.action else None
            line["note"] = each.action.note if each.action else None
            rows.append(line)
        still = sum(each.is_open for each in ordered)
        note = f"{still:,} open, then {many(len(rows) - still, 'scored row')}"
        return Listing(_frame(rows), f"{self.part}", note, page=page, size=size)

    def history(self, last: int = _HISTORY) -> Listing:
        """Return the day's actions, the latest first."""
        actions = self.actions()
        living = {each.action_id for each in state.alive(actions)}
        rows = [
            {
                "action": each.short_id,
                "when (UTC)": _when(each),
                "who": each.author,
                "what": each.kind,
                "severity": Severity(each.severity).title if each.severity else None,
                "selector": each.selector or (each.refers_to or "")[:8] or None,
                "rows": each.row_count,
                "note": each.note,
                "in effect": "yes" if each.action_id in living else "taken back",
            }
            for each in reversed(actions)
        ]
        note = "" if rows else "no actions on this day yet"
        return Listing(_frame(rows[:last]), "History", note)

    def suppressed(self) -> Listing:
        """Return the rows that suppressions keep out of the open lists, and why."""
        rows = [
            {
                "rank": each.rank,
                **{name: each.row[name] for name in self.triage.key},
                "severity": each.severity.title,
                "why": each.suppressed.reason,
                "by": each.suppressed.author,
                "suppression": each.suppressed.id[:8],
            }
            for each in self.rows()
            if each.suppressed is not None
        ]
        return Listing(_frame(rows), "Suppressed", "" if rows else "no row is suppressed")

    def stories(self) -> Listing:
        """Return the titles and texts of the day's stories."""
        rows = [
            {"about": each.anchor, "title": each.title, "text": each.text, "by": each.action.author}
            for each in self.saved_stories()
        ]
        return Listing(_frame(rows), "Stories", "" if rows else "no story yet")

    def feedback_state(self) -> Listing:
        """Return the feedback for the scorer: its size, its destination, or why it has none."""
        own, settings = self.feedback(), self.settings
        judged = self.judged()
        goes = "to the scorer" if delivery.delivers(settings, self.pipeline) else "nowhere"
        why = ""
        if not settings.feedback_uri:
            why = "SPOT_OA_FEEDBACK_URI is not set"
        elif goes == "nowhere":
            why = f"SPOT_OA_FEEDBACK_PIPELINES does not name {self.pipeline.name}"
        main = self.triage.targets[self.triage.main_target]
        counts = Counter(Severity(each.severities[main]) for each in judged)
        line = {
            **{each.title: counts[each] for each in Severity if each},
            "lines": len(own.lines),
            "left out": own.left_out,
            "goes": f"{goes}{why and ': ' + why}",
        }
        note = "rows that spot-ml's reader cannot read are left out; it learns from Low rows"
        return Listing(_frame([line]), "Feedback", note)

    def sql(self, question: str, **values: object) -> pd.DataFrame:
        """Run one SELECT in an in-memory DuckDB: nothing can be written.

        Views: `scores`, `edge` and the day's other tables by their short names, `triage` as last
        published, and `telemetry`, the day's raw events.

        Args:
            question: A query in DuckDB's SQL; `$name` refers to a value.
            values: The values by name.

        Raises:
            UsageError: The text is not one SELECT, or the query fails.
        """
        files = {
            table.removeprefix(f"{self.pipeline.name}_"): folder / f"{table}.parquet"
            for folder, tables in (
                (published_folder(self.settings.triage_dir, self.part), self.triage.tables),
                (published_folder(self.settings.data_dir, self.part), self.pipeline.tables),
            )
            for table in tables
        }
        there = {name: path for name, path in files.items() if path.is_file()}
        return ask(question, there, self.telemetry(), values)

    def telemetry(self) -> RawDay | None:
        """Return the day's raw events; None if only the engine of a cluster can read them."""
        if self.settings.target != "duckdb":
            return None
        root = telemetry_root(self.settings) / self.pipeline.name
        return RawDay(self.pipeline, root, self.part.date)

    def to_csv(self, path: str | Path) -> Path:
        """Write the rows with their severities as CSV; text cannot become a formula.

        Args:
            path: A file that does not exist yet.

        Raises:
            ConfigError: The file exists, or cannot be written.
        """
        target = Path(path)
        frame = self.labelled()
        try:
            with target.open("x", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, quoting=csv.QUOTE_ALL)
                writer.writerow(frame.columns)
                writer.writerows(map(_harmless, row) for row in frame.itertuples(index=False))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{printable(path)}: {printable(error)}; use another file") from error
        return target

    # -- pictures ---------------------------------------------------------------------------

    @cached_property
    def report(self) -> Published:
        """The day of all pipelines, as read for its report."""
        return read(self.settings, load_pipelines(self.settings.pipelines_dir), self.part.date)

    @cached_property
    def facts(self) -> Facts:
        """The facts about the day's rows, and the reasons to look at them."""
        return facts.find(self.report)

    @property
    def source(self) -> Source:
        """This pipeline's part of the report."""
        return next(each for each in self.report.sources if each.name == self.pipeline.name)

    def event_of(self, row: LiveRow) -> Event:
        """Return the facts about a row."""
        return self._events[_identity(row.row)]

    def known_of(self, row: LiveRow) -> Mapping[str, Sequence[str]]:
        """Return the topics of `explain` for a row; other days are read only once."""
        return {} if row.rank is None else self._explained(row.rank, self._before).topics

    @cached_property
    def _before(self) -> Before:
        return self._known_before()

    @cached_property
    def _events(self) -> Mapping[tuple[object, ...], Event]:
        return {_identity(each.row): each for each in self.facts.events[self.pipeline.name]}

    def timeline(self) -> Picture:
        """Draw the day, minute by minute: received events and suspicious events."""
        bands = [
            pictures.Band(
                source.name,
                source.table("ingest_summary"),
                facts.marks(self.facts.events[source.name]),
            )
            for source in self.report.sources
        ]
        return Picture(pictures.timeline(bands))

    def chord(self, address: str) -> Picture:
        """Draw a day's traffic of an address of flow_chords with each suspicious peer."""
        return Picture(pictures.chord(self.table_of("chords"), address, self.facts.known_bad))

    def names(self, client: str) -> Picture:
        """Draw the names that a suspicious client queried, by registered domain."""
        suspicious = {str(row["dns_qry_name"]) for row in self.published.rows}
        return Picture(
            pictures.tree(
                self.table_of("dendro"), client, suspicious, _registered, self.facts.known_bad
            )
        )

    def network(self) -> Picture:
        """Draw the network of the suspicious connections."""
        self._has_columns("srcip", "dstip")
        return Picture(pictures.network(self.source.table("scores"), self.facts.known_bad))

    def scores_picture(self) -> Picture:
        """Draw the distribution of the scores, with known bad events marked."""
        events = self.facts.events[self.pipeline.name]
        return Picture(pictures.scores({self.pipeline.name: facts.marks(events)}))

    def places(self) -> Picture:
        """Draw the places of the suspicious events' ends."""
        return Picture(pictures.places(facts.place_counts([self.source])))

    def month(self) -> Picture:
        """Draw the published days up to this one."""
        data_dir, name, last = self.settings.data_dir, self.pipeline.name, self.part.date
        dates = [each for each in published_dates(data_dir, name) if each <= last]
        return Picture(pictures.month({name: month(data_dir, self.pipeline, dates, last)}, last))

    def table_of(self, name: str) -> pd.DataFrame:
        """Return a published table by its short name, as plain values.

        Raises:
            UsageError: The pipeline has no such table.
        """
        if f"{self.pipeline.name}_{name}" not in self.pipeline.tables:
            raise UsageError(f"{self.pipeline.name} has no table {name}")
        return self.source.table(name)

    @cached_property
    def called(self) -> Mapping[str, str]:
        """The names of the addresses in the day's rows."""
        ends = dict.fromkeys(
            end for event in self.facts.events[self.pipeline.name] for end in event.ends
        )
        return self.names_of(list(ends))

    def names_of(self, addresses: Sequence[str]) -> dict[str, str]:
        """Return the names of addresses from local files; no service is queried."""
        return {ip: label for ip, (_, label) in self.context_of(addresses).items() if label}

    def context_of(self, addresses: Sequence[str]) -> dict[str, tuple[bool, str]]:
        """Return whether addresses are internal, and their names; no service is queried."""
        found = load_local(self.settings, self._nwloc).enrich({"address": list(addresses)})
        (frame,) = found.tables.values()
        columns = (frame[name].tolist() for name in ("ip", "is_internal", "label"))
        return {str(ip): (bool(ours), str(label)) for ip, ours, label in zip(*columns, strict=True)}

    # -- what is saved ----------------------------------------------------------------------

    def save(self) -> str:
        """Deliver the feedback to the scorer and update the day's tables.

        Labels are stored already. If a run holds the warehouse, the tables follow later.

        Returns:
            A summary of what was done.
        """
        today = Counter(
            each.author
            for each in state.alive(self.actions())
            if each.kind in (Kind.LABEL, Kind.CLEAR)
        )
        mine = today.pop(self.author, 0)
        others = ", ".join(f"{count} by {printable(who)}" for who, count in today.items())
        still = sum(each.is_open for each in self.rows())
        done = [f"{many(mine, 'label')} by you{others and ', ' + others}; {still:,} open"]
        if self.pipeline.name in COLUMNS:
            done.append(self._write_feedback())
        done.append(self._refresh())
        self._notify()
        return "Saved: " + "; ".join(done)

    def _write_feedback(self) -> str:
        own = self.feedback()
        try:
            kept = delivery.keep_feedback(self.settings, self.part, own)
        except SpotOaError as error:
            return f"feedback was not written: {printable(error)}"
        try:
            sent = delivery.deliver_feedback(self.settings, self.pipeline, self.part.date)
        except SpotOaError as error:
            return f"feedback was not delivered: {printable(error)}"
        places = [*(["the triage folder"] if kept else []), *(uri for uri, _ in sent)]
        left = f", {own.left_out} left out" if own.left_out else ""
        return (
            f"feedback: {many(len(own.lines), 'row')} to {' and '.join(places) or 'no file'}{left}"
        )

    def _refresh(self) -> str:
        if is_held(self.settings.lock):
            return (
                "a run holds the warehouse: the tables follow with a run of this day, or with "
                f"`spot-oa refresh {self.part.pipeline} --date {self.part.date}`"
            )
        # In a separate process: dbt uses much memory and prints to the terminal.
        date = self.part.date.isoformat()
        command = ["-m", "flows.cli.app", "refresh", self.part.pipeline, "--date", date]
        done = subprocess.run(  # noqa: S603 - a pipeline's name and a date
            [sys.executable, *command],
            # If a run has started in the meantime, do not wait for it.
            env=handed_on(self.settings) | {"SPOT_OA_LOCK_TIMEOUT": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["it failed without a message"]
            return f"the tables could not be updated: {printable(lines[-1])}"
        return "the tables are up to date"

    def redraw(self) -> None:
        """Read others' actions and newly published rows, and redraw the panels."""
        self.reload()
        self.seen_seq = self._store.last_seq(self.part.pipeline, self.part.date.isoformat())
        self._notify()

    def _notify(self) -> None:
        for call in list(self.changed):
            call()

    def _written(self, decide: Decide, outcome: list[Reply]) -> Reply:
        reply = super()._written(decide, outcome)
        if reply.action is not None:
            self._notify()
        return reply

    def _take(self, published: PublishedDay) -> None:
        for name in ("report", "facts", "called", "_events"):
            self.__dict__.pop(name, None)
        super()._take(published)
        # Whichever call has read the new rows, no panel keeps the old ones.
        self._notify()

    def _names_file(self, nwloc: str | Path | None) -> Path | None:
        if nwloc is None:
            return None
        path = Path(nwloc).expanduser()
        if not path.is_file():
            self.notes.append(
                f"NWLOC {printable(nwloc)} does not exist: names come from the day's own context"
            )
            return None
        try:
            load_local(self.settings, path)
        except SpotOaError as error:
            self.notes.append(f"NWLOC: {error}; names come from the day's own context")
            return None
        return path


def open_day(
    pipeline: str,
    date: object,
    *,
    nwloc: str | Path | None = None,
    author: str | None = None,
    settings: Settings | None = None,
) -> Workbench:
    """Open a published day in a notebook.

    Args:
        pipeline: Its name.
        date: The day, as `2016-07-08` or `20160708`.
        nwloc: A file like networkcontext.csv whose names are shown instead in this notebook.
        author: The author of the actions; `SPOT_OA_AUTHOR`, or the system's user, if None.
        settings: The settings. If None, home is `SPOT_OA_HOME`, else the nearest folder above
            this one that contains `ipynb` or `data`, else the home for which this folder's
            notebooks were made.

    Raises:
        UsageError: The pipeline is unknown.
        SpotOaError: The day is not published, or cannot be read.
    """
    here = Path.cwd()
    settings = settings or _settings(here)
    described = get_pipeline(pipeline, settings.pipelines_dir)
    part = Slice(described.name, parse_date(date))
    notes = []
    if here.name.isdecimal() and (here.parent.name, here.name) != (part.pipeline, part.compact):
        folder = f"{here.parent.name}/{here.name}"
        if here.parent.parent.name == settings.notebooks_dir.name:
            notes.append(f"this notebook is in {folder} but shows {part}, because of its DATE")
    return Workbench(
        settings,
        described,
        part,
        open_store(settings),
        author=settings.who if author is None else author,
        nwloc=nwloc,
        notes=notes,
    )


def _settings(here: Path) -> Settings:
    if home_is_set():
        return load_settings()
    above = (each for each in here.parents if (each / "ipynb").is_dir() or (each / "data").is_dir())
    home = next(above, None) or home_of(here)
    return load_settings() if home is None else load_settings(home=home)


def _frame(rows: Sequence[Mapping[str, Any]], columns: Iterable[str] = ()) -> pd.DataFrame:
    names = list(rows[0]) if rows else list(columns)
    return pd.DataFrame(
        {name: pd.Series([row[name] for row in rows], dtype=object) for name in names}
    )


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with nullable types, so that integers with gaps do not become floats."""
    kinds: dict[str, str] = {}
    for name in frame.columns:
        found = {type(value) for value in frame[name].tolist() if value is not None}
        if found == {int}:
            kinds[str(name)] = "Int64"
        elif found and found <= {int, float}:
            kinds[str(name)] = "float64"
    return frame.astype(kinds)


def _identity(row: Mapping[str, Any]) -> tuple[object, ...]:
    # NaN does not equal anything, not even itself.
    return tuple(
        None if isinstance(value, float) and math.isnan(value) else value for value in row.values()
    )


def _cell(kind: str, values: Sequence[object]) -> object:
    present = [value for value in values if value not in (None, "")]
    if kind in ("number", "bytes"):
        counts = [value for value in present if isinstance(value, (int, float))]
        return sum(counts) if counts else None
    if kind == "place":
        return " → ".join(filter(None, map(facts.place_of, values)))
    return " ".join(map(str, present)) if present else None


def _other(event: Event) -> list[str]:
    return [each for each in event.reasons if each != BAD]


def _when(action: Action) -> str:
    return action.recorded_at[:19].replace("T", " ")


def _harmless(value: object) -> object:
    """Return a cell that no spreadsheet reads as a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _registered(name: str) -> str:
    return split_name(name)[0]
