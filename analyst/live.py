"""A published day with its current labels, read only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from analyst import heuristics, state
from analyst.actions import Action, Severity
from analyst.explain import DAYS, Explanation, explain, known_before, label_of
from analyst.feedback import Feedback, Judged, write_rows
from analyst.heuristics import FanOut
from analyst.known import Before, Label
from analyst.published import PublishedDay, read_day, read_manifest, triage_of
from analyst.selectors import Row, by_number, comparison
from analyst.standing import StandingRule, by_row, hits, load_rules
from analyst.store import SqliteStore
from analyst.suppressions import Suppression, covering, on_day
from spot_oa.dates import Slice, parse_date
from spot_oa.errors import SpotOaError, UsageError, printable
from spot_oa.pipelines import Pipeline, load_pipelines
from spot_oa.publish import published_days, published_folder
from spot_oa.settings import Settings


@dataclass(frozen=True, slots=True)
class Shown:
    """The shown values of a list, and the number of all its values."""

    values: Sequence[object]
    total: int

    def __str__(self) -> str:
        return f"{len(self.values):,} of {self.total:,}"


@dataclass(frozen=True, slots=True)
class Story:
    """What an analyst found out about an address, a name or a URI."""

    anchor_kind: str
    anchor: str
    title: str
    text: str
    action: Action


@dataclass(frozen=True, slots=True)
class LiveRow:
    """A row of the day with its current labels."""

    rank: int | None
    row: Row
    key: str
    severities: Mapping[str, int]
    severity: Severity
    is_open: bool
    action: Action | None
    """The action that determines the severity."""
    rule: StandingRule | None = None
    """The standing rule that determines the severity if no action does."""
    hits: Sequence[StandingRule] = ()
    """All standing rules that match the row, the one that takes precedence first."""
    suppressed: Suppression | None = None
    """The suppression that keeps the row out of the open lists."""


class LiveDay:
    """One pipeline's day: the published rows, and what the actions on them amount to."""

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        part: Slice,
        store: SqliteStore,
    ) -> None:
        self.part = part
        self.pipeline = pipeline
        self.triage = triage_of(pipeline)
        self._settings = settings
        self._store = store
        self.rules = load_rules(settings, pipeline)
        self._take(read_day(settings, pipeline, part))

    @property
    def _day(self) -> str:
        return self.part.date.isoformat()

    @property
    def published(self) -> PublishedDay:
        """The rows as last read."""
        return self._published

    def _take(self, published: PublishedDay) -> None:
        self._published = published
        self._hits = by_row(hits(self.rules, self.part.date, published.rows))

    def reload(self) -> list[str]:
        """Read the day again if it was published again; return a note if so."""
        manifest = read_manifest(published_folder(self._settings.data_dir, self.part))
        if manifest is not None and manifest.get("run_id") == self._published.run_id:
            return []
        self._take(read_day(self._settings, self.pipeline, self.part))
        return [f"{self.part} was published again meanwhile; these are the new rows"]

    def actions(self) -> list[Action]:
        """Return all actions of the day, in order."""
        return self._store.actions(self.part.pipeline, self._day)

    def rows(self, actions: Sequence[Action] | None = None) -> list[LiveRow]:
        """Return the rows by rank with their current labels, or those after these actions."""
        marks = state.marks(self.actions() if actions is None else actions)
        published = self._published
        covered = self._covered()
        return [
            self._live(place, rank, marks, covered.get(place, ()))
            for place, rank in enumerate(published.ranks)
        ]

    def in_order(self) -> list[LiveRow]:
        """Return the rows in saving order: open rows by rank, then the others by rank."""
        return sorted(self.rows(), key=lambda each: not each.is_open)

    def orphans(self) -> list[Action]:
        """Return the actions in effect on rows that the day currently does not have."""
        present = set(self._published.keys)
        holding = {
            action.seq: action
            for (key, _), action in state.marks(self.actions()).items()
            if key not in present
        }
        return [holding[seq] for seq in sorted(holding)]

    def values(
        self,
        column: str,
        limit: int = 250,
        find: str = "",
        among: Mapping[str, object] | None = None,
    ) -> Shown:
        """Return the distinct values of a column in open rows, most suspicious first.

        Args:
            column: A column of the scores.
            limit: Maximum number of values shown.
            find: Only values that contain this text, ignoring case; all values are searched.
            among: Only rows that have these values.

        Raises:
            UsageError: The limit is not positive, or there is no such column.
        """
        if limit < 1:
            raise UsageError(f"a list of {limit} values shows nothing: use 1 or more")
        if self._published.rows and column not in self._published.rows[0]:
            raise UsageError(f"{self.pipeline.name}_scores has no column {printable(column)!r}")
        target = self.triage.target_of(column)
        found = {
            each.row[column]: None
            for each in self.rows()
            if each.row[column] is not None
            and each.suppressed is None
            and not each.severities[self.triage.targets[target]]
            and all(each.row[name] == value for name, value in (among or {}).items())
        }
        wanted = [value for value in found if find.lower() in str(value).lower()]
        return Shown(wanted[:limit], len(wanted))

    def anchors(self) -> list[tuple[str, str]]:
        """Return the anchors to investigate, by kind and value: those of rows scored High."""
        found: dict[tuple[str, str], None] = {}
        for each in self.rows():
            for kind, columns in self.triage.anchors.items():
                for column in columns:
                    target = self.triage.targets[self.triage.target_of(column)]
                    value = each.row[column]
                    if each.severities[target] == Severity.HIGH and value is not None:
                        found[kind, str(value)] = None
        return sorted(found, key=lambda anchor: (anchor[0], by_number(anchor[1])))

    def saved_stories(self) -> list[Story]:
        """Return the current stories, in the order in which they were last saved."""
        return [
            Story(*anchor, str(content.get("title", "")), str(content.get("text", "")), action)
            for anchor, action in state.stories(self.actions()).items()
            for content in (state.story_content(action),)
        ]

    def attack_heuristics(self, peers: int = 20) -> list[FanOut]:
        """Return the sources with more than `peers` peers, most peers first."""
        self._has_columns("srcip", "dstip")
        return heuristics.fan_out(self._published.rows, peers)

    def explain(self, rank: int) -> Explanation:
        """Explain why a row is here, and what is known about its addresses, names and URIs.

        Args:
            rank: The rank of the row, 0 for the most suspicious.

        Raises:
            UsageError: There is no such row, or the ranks are not published yet.
        """
        notes = self.reload()
        if self._published.rows and None in self._published.ranks:
            raise self._without_ranks()
        found = self._explained(rank, self._known_before())
        return replace(found, topics={"note": notes, **found.topics}) if notes else found

    def _explained(self, rank: int, before: Before) -> Explanation:
        return explain(self._settings, self.pipeline, self.part, self.rows(), rank, before=before)

    def _known_before(self) -> Before:
        return known_before(self._settings, self.pipeline, self.part.date, self._elsewhere())

    def feedback(self) -> Feedback:
        """Return the day's own labelled rows for the scorer, by rank."""
        return write_rows(self.part.pipeline, self.judged())

    def judged(self, actions: Sequence[Action] | None = None) -> list[Judged]:
        """Return the scored rows by rank, with their current severities; see `rows`."""
        return [
            Judged(each.row, each.severities)
            for each in self.rows(actions)
            if any(each.severities.values())
        ]

    def _anchors(self, *, with_story: bool) -> Iterator[tuple[str, str]]:
        if with_story:
            yield from ((each.anchor_kind, each.anchor) for each in self.saved_stories())
            return
        for kind, columns in self.triage.anchors.items():
            for column in columns:
                for row in self._published.rows:
                    if row[column] is not None:
                        yield kind, str(row[column])

    def _is_anchor(self, kind: str, text: str, value: str) -> bool:
        compared = {self.triage.compared.get(each, "text") for each in self.triage.anchors[kind]}
        # A network is not an anchor: it would match whichever of its addresses comes first.
        alike = (c for c in compared if not (c == "address" and "/" in text))
        return value == text or any(comparison(each, text)(value) for each in alike)

    def _without_ranks(self) -> UsageError:
        return UsageError(
            f"the ranks of {self.part} are not published yet: wait for its run to end, or "
            f"run `spot-oa refresh {self.part.pipeline} --date {self.part.date}`"
        )

    def _elsewhere(self) -> Iterator[Label]:
        """Return the scored rows of other published days, of all pipelines."""
        for pipeline in load_pipelines(self._settings.pipelines_dir).values():
            if pipeline.triage is None:
                continue
            for date in self._judged_dates(pipeline):
                part = Slice(pipeline.name, date)
                if part == self.part or abs(part.date - self.part.date).days > DAYS:
                    continue
                try:
                    other = LiveDay(self._settings, pipeline, part, self._store)
                except SpotOaError:
                    continue  # No longer published: nothing to show.
                for live in other.rows():
                    if live.severity:
                        yield label_of(live, part.date, pipeline)

    def _judged_dates(self, pipeline: Pipeline) -> list[dt.date]:
        """Return the dates with actions, and the published ones on which a standing rule holds."""
        try:
            rules = load_rules(self._settings, pipeline)
        except SpotOaError:
            return []  # Neither can their rows be read.
        judged = {parse_date(day) for day in self._store.last_seqs(pipeline.name)}
        if rules:
            judged.update(
                date
                for date in published_days(self._settings.data_dir, pipeline.name)
                if any(rule.holds_on(date) for rule in rules)
            )
        return sorted(judged)

    def _has_columns(self, *columns: str) -> None:
        rows = self._published.rows
        if missing := [column for column in columns if rows and column not in rows[0]]:
            raise UsageError(f"rows of {self.pipeline.name} have no column {', '.join(missing)}")

    def _count(self, keys: Container[str]) -> int:
        """Count the rows of the day that have one of the keys; equal rows all count."""
        return sum(key in keys for key in self._published.keys)

    def _rule(self, marks: state.Marks, place: int) -> StandingRule | None:
        """Return the standing rule that determines a row's severity; None if an action does."""
        main = self._published.keys[place], self.triage.main_target
        return None if main in marks else next(iter(self._hits.get(place, ())), None)

    def _severities(self, marks: state.Marks, place: int) -> dict[str, int]:
        key, targets = self._published.keys[place], self.triage.targets
        found = {column: state.severity(marks, key, target) for target, column in targets.items()}
        rule = self._rule(marks, place)
        if rule is not None:
            found[targets[self.triage.main_target]] = int(rule.severity)
        return found

    def _covered(self) -> Mapping[int, Sequence[Suppression]]:
        """Return the suppressions of each currently suppressed row, by its position."""
        acting = on_day(self._store, self.pipeline, self.part.date)
        return covering(self.pipeline, acting, self._published.rows) if acting else {}

    def _live(
        self,
        place: int,
        rank: int | None,
        marks: state.Marks,
        covered: Sequence[Suppression] = (),
    ) -> LiveRow:
        key = self._published.keys[place]
        severities = self._severities(marks, place)
        targets = self.triage.targets
        judged = [marks[key, target] for target in targets if (key, target) in marks]
        rule = self._rule(marks, place)
        action = next((each for each in judged if each.severity), judged[0] if judged else None)
        return LiveRow(
            rank,
            self._published.rows[place],
            key,
            severities,
            Severity(next((each for each in severities.values() if each), 0)),
            not severities[targets[self.triage.main_target]] and not covered,
            None if rule is not None else action,
            rule,
            self._hits.get(place, ()),
            min(covered, key=lambda each: each.id, default=None),
        )
