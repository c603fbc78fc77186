"""A published day, and what analysts say of it: the one way in for command line and notebooks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from analyst import heuristics, state
from analyst.actions import (
    Action,
    Kind,
    RowKey,
    Severity,
    Via,
    check,
    checked_text,
    parse_severity,
    to_json,
    with_rows,
)
from analyst.explain import DAYS, Explanation, explain, identities
from analyst.feedback import Feedback, Judged, write_rows
from analyst.heuristics import FanOut
from analyst.published import PublishedDay, read_day, read_manifest, triage_of
from analyst.rules import Rule, parse_rule
from analyst.selectors import Row, Selector, by_number, select
from analyst.standing import StandingRule, deciding, hits, load_rules
from analyst.store import Decide, SqliteStore, open_store
from analyst.suppressions import Suppression, covering, on_day
from spot_oa.dates import Slice, parse_date
from spot_oa.errors import SpotOaError, UsageError, printable
from spot_oa.pipelines import Match, Pipeline, get_pipeline, load_pipelines
from spot_oa.publish import published_folder
from spot_oa.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one action, or would have."""

    action: Action | None
    """What was written; None for nothing."""
    matched: int = 0
    changed: int = 0
    """Rows whose severity is another now."""
    scored: Mapping[Severity, int] = field(default_factory=dict)
    """Rows that had a severity already."""
    notes: Sequence[str] = ()
    dry_run: bool = False

    def __str__(self) -> str:
        before = sum(self.scored.values())
        already = ", ".join(f"{count} {severity.title}" for severity, count in self.scored.items())
        rows = f"{_rows(self.matched)}, {self.changed} changed"
        if before:
            rows += f", {before} scored already ({already})"
        if self.dry_run:
            rows += "; nothing written, this was a dry run"
        elif self.action is not None:
            rows += f"; action {self.action.short_id}"
        else:
            rows += "; no action"
        return "; ".join([rows, *self.notes])

    def as_json(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "action_id": self.action.action_id if self.action and not self.dry_run else None,
            "matched": self.matched,
            "changed": self.changed,
            "already_scored": {each.title: count for each, count in self.scored.items()},
            "notes": list(self.notes),
            "dry_run": self.dry_run,
        }


@dataclass(frozen=True, slots=True)
class Shown:
    """The values of a list: those shown, and how many there are."""

    values: Sequence[object]
    total: int

    def __str__(self) -> str:
        return f"{len(self.values):,} of {self.total:,}"


@dataclass(frozen=True, slots=True)
class Story:
    """What somebody found out about an address, a name or a URI."""

    anchor_kind: str
    anchor: str
    title: str
    text: str
    action: Action


@dataclass(frozen=True, slots=True)
class LiveRow:
    """A row of the day with what holds for it at this moment."""

    rank: int | None
    row: Row
    key: str
    severities: Mapping[str, int]
    severity: Severity
    is_open: bool
    action: Action | None
    """The action that decided."""
    rule: StandingRule | None = None
    """The standing rule that decided where no action did."""
    suppressed: Suppression | None = None
    """What keeps it out of the open lists."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One label or clear, before it is known what of it there is to write."""

    kind: Kind
    severity: int
    match_kind: str
    selector: str
    places: Sequence[int]
    targets: Sequence[str]
    note: str = ""
    only_open: bool = False
    rule: Rule | StandingRule | None = None


class Day:
    """One pipeline's day: published rows, and the actions on them."""

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        part: Slice,
        store: SqliteStore,
        *,
        author: str,
        made_with: str,
    ) -> None:
        self.part = part
        self.pipeline = pipeline
        self.triage = triage_of(pipeline)
        self._settings = settings
        self._store = store
        self._author = author
        self._made_with = made_with
        self.rules = load_rules(settings, pipeline)
        self._take(read_day(settings, pipeline, part))
        self.seen_seq = store.last_seq(part.pipeline, self._day)

    @property
    def _day(self) -> str:
        return self.part.date.isoformat()

    @property
    def published(self) -> PublishedDay:
        """The rows as they were read last."""
        return self._published

    def _take(self, published: PublishedDay) -> None:
        self._published = published
        self._hits = deciding(hits(self.rules, self.part.date, published.rows))

    def actions(self) -> list[Action]:
        """All actions of the day, in order."""
        return self._store.actions(self.part.pipeline, self._day)

    # -- what an analyst does ---------------------------------------------------------------

    def label(
        self,
        kind: str,
        selector: Selector,
        severity: object,
        *,
        note: str = "",
        only_open: bool = False,
        dry_run: bool = False,
    ) -> Reply:
        """Put a severity on all rows that a selector means; the latest wins.

        Args:
            kind: One of `Triage.kinds`.
            selector: Its values.
            severity: `high`, `medium`, `low`, or 1, 2, 3.
            note: Free text.
            only_open: Leave rows alone that are scored already.
            dry_run: Write nothing.

        Raises:
            UsageError: Nothing is selected, or a value cannot be what it should.
        """
        level = parse_severity(severity)
        return self._judge(
            Kind.LABEL, level, kind, selector, note=note, only_open=only_open, dry_run=dry_run
        )

    def clear(
        self, kind: str, selector: Selector, *, note: str = "", dry_run: bool = False
    ) -> Reply:
        """Take the severity off all rows that a selector means; see `label`."""
        return self._judge(Kind.CLEAR, 0, kind, selector, note=note, dry_run=dry_run)

    def label_ranks(
        self,
        ranks: Sequence[int],
        severity: object,
        *,
        note: str = "",
        only_open: bool = False,
        dry_run: bool = False,
    ) -> Reply:
        """Put a severity on exactly these rows of the published day.

        Raises:
            UsageError: A rank is not in the day, or the ranks are not known.
        """
        level = parse_severity(severity)
        return self._judge_ranks(
            Kind.LABEL, level, ranks, note=note, only_open=only_open, dry_run=dry_run
        )

    def clear_ranks(self, ranks: Sequence[int], *, note: str = "", dry_run: bool = False) -> Reply:
        """Take the severity off exactly these rows; see `label_ranks`."""
        return self._judge_ranks(Kind.CLEAR, 0, ranks, note=note, dry_run=dry_run)

    def undo(self, action_id: str | None = None, *, note: str = "") -> Reply:
        """Take back one action whole: rows fall back to what held before.

        Args:
            action_id: The action, by the beginning of its id; the author's own last one if None.
            note: Free text.

        Raises:
            UsageError: There is no such action of this day, or it does not hold any more.
        """
        asked = self._store.find(action_id) if action_id is not None else None
        if asked is not None:
            self._of_this_day(asked)
        outcome: list[Reply] = []

        def decide(actions: Sequence[Action]) -> Action:
            living = state.alive(actions)
            target = asked or state.last_own(actions, self._author)
            if target is None:
                raise UsageError(
                    f"{printable(self._author)} has no action on {self.part} that could be undone; "
                    "to undo another's, name it"
                )
            if target.action_id not in {each.action_id for each in living}:
                raise UsageError(
                    f"action {target.short_id} does not hold any more: it was undone or reset"
                )
            action = self._action(Kind.UNDO, note=note, refers_to=target.action_id)
            outcome.append(self._compared(actions, action))
            return action

        return self._written(decide, outcome)

    def reset(self, confirm: str | None, *, with_stories: bool = False, note: str = "") -> Reply:
        """Take back every label of the day; nothing is deleted, and it can be undone.

        Args:
            confirm: The day as `20160708`, or nothing is written.
            with_stories: Also take back the stories.
            note: Free text.

        Raises:
            UsageError: It is not confirmed.
        """
        outcome: list[Reply] = []

        def decide(actions: Sequence[Action]) -> Action | None:
            payload = state.WITH_STORIES if with_stories else state.WITHOUT_STORIES
            action = self._action(Kind.RESET, note=note, payload=payload)
            gone = _taken_back(actions, action)
            labels = [each for each in gone if each.kind in (Kind.LABEL, Kind.CLEAR)]
            authors = {each.author for each in gone}
            said = f"{len(labels)} labels of {len(authors)} authors" + (
                f" and {len(gone) - len(labels)} other actions" if len(gone) > len(labels) else ""
            )
            if confirm != self.part.compact:
                raise UsageError(
                    f"reset would take back {said} on {self.part}; nothing was written: confirm "
                    f"it with --yes, in a notebook with confirm={self.part.compact!r}"
                )
            compared = self._compared(actions, action if gone else None)
            note_of_reset = f"reset {said}" if gone else "nothing to reset"
            outcome.append(
                Reply(compared.action, compared.matched, compared.changed, {}, (note_of_reset,))
            )
            return action if gone else None

        return self._written(decide, outcome)

    def restore(
        self, *, before: str | None = None, confirm: str | None = None, note: str = ""
    ) -> list[Reply]:
        """Bring the day back to what it was: as published, or before an action.

        Nothing is deleted: it is a reset, or an undo of that action and of all that came after it.

        Args:
            before: An action, by the beginning of its id; a reset of the day if None.
            confirm: For a reset, the day as `20160708`.
            note: Free text.

        Raises:
            UsageError: There is no such action of this day, or the reset is not confirmed.
        """
        if before is None:
            return [self.reset(confirm, note=note)]
        first = self._store.find(before)
        self._of_this_day(first)
        # An undo among them brings back what it took back, which is met on the way down.
        later = [each for each in self.actions() if each.seq >= first.seq]
        return [
            self.undo(action.action_id, note=note)
            for action in reversed(later)
            if action.action_id in {each.action_id for each in state.alive(self.actions())}
        ]

    def try_rules(
        self, rules: Sequence[tuple[Sequence[str], Sequence[object], object]]
    ) -> list[Reply]:
        """How many open rows each rule would score, without writing."""
        return [self._apply(parse_rule(*rule), dry_run=True) for rule in rules]

    def apply_rules(
        self, rops: Sequence[str], rvals: Sequence[object], risk: object, *, dry_run: bool = False
    ) -> Reply:
        """Score the open rows that a rule means: srcip, dstip, sport, dport, ipkt, ibyt.

        A rule never overrides a person, and one without any value matches nothing.

        Raises:
            UsageError: It is no rule, or the pipeline's rows have not its columns.
        """
        return self._apply(parse_rule(rops, rvals, risk), dry_run=dry_run)

    def try_standing(self) -> list[tuple[StandingRule, int, Reply]]:
        """Each rule of the rule file, the rows that it means, and what applying it would do."""
        return [
            (
                rule,
                len(rule.select(self._published.rows)),
                self.apply_standing(rule.id, dry_run=True),
            )
            for rule in self.rules
        ]

    def apply_standing(self, rule_id: str, *, dry_run: bool = False) -> Reply:
        """Score the open rows that a rule of the rule file means, for good.

        Raises:
            UsageError: There is no such rule.
        """
        rule = next((each for each in self.rules if each.id == rule_id), None)
        if rule is None:
            known = ", ".join(each.id for each in self.rules) or "there is none"
            raise UsageError(f"rule {printable(rule_id)!r} is not in the rule file: {known}")
        return self._apply(rule, dry_run=dry_run)

    def save_story(
        self, anchor_kind: str, anchor: str, title: str, text: str, *, top_results: int = 20
    ) -> Reply:
        """Write down what was found out about an anchor; a story that it has is replaced.

        Args:
            anchor_kind: One of `Triage.anchors`.
            anchor: The address, name or URI.
            title: One line.
            text: As many lines as it takes; they are kept as typed.
            top_results: How many peers a way the tables made from it show.

        Raises:
            UsageError: It is blank or too long, or nothing can be told of such an anchor.
        """
        self._check_anchor(anchor_kind, anchor)
        for name, value in (("title", title), ("text", text)):
            if not checked_text(name, value).strip():
                raise UsageError(f"the story's {name} is blank: nothing was written")
        if top_results < 1:
            raise UsageError(f"top_results {top_results} shows nothing: take 1 or more")
        payload = {
            "anchor_kind": anchor_kind,
            "anchor": anchor,
            "title": title,
            "text": text,
            "top_results": top_results,
        }
        return self._told(Kind.STORY, payload)

    def remove_story(self, anchor_kind: str, anchor: str) -> Reply:
        """Take the story of an anchor away; it stays in the history.

        Raises:
            UsageError: It has none.
        """
        self._check_anchor(anchor_kind, anchor)
        if (anchor_kind, anchor) not in {(s.anchor_kind, s.anchor) for s in self.told()}:
            raise UsageError(f"{printable(anchor)} has no story on {self.part}")
        return self._told(Kind.UNSTORY, {"anchor_kind": anchor_kind, "anchor": anchor})

    # -- what an analyst sees ---------------------------------------------------------------

    def rows(self, actions: Sequence[Action] | None = None) -> list[LiveRow]:
        """The rows by rank, with what holds at this moment, or held after these actions."""
        marks = state.marks(self.actions() if actions is None else actions)
        published = self._published
        covered = self._covered()
        return [
            self._live(place, rank, marks, covered.get(place, ()))
            for place, rank in enumerate(published.ranks)
        ]

    def in_order(self) -> list[LiveRow]:
        """The rows as they are saved: open ones by rank, then the scored ones by rank."""
        return sorted(self.rows(), key=lambda each: not each.is_open)

    def orphans(self) -> list[Action]:
        """The actions that hold for rows that the day does not have at present."""
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
        """The distinct values of a column in open rows, most suspicious first.

        Args:
            column: Of the scores.
            limit: The most values shown.
            find: Only values that contain this text, without case; all are searched.
            among: Only of rows that have these values.

        Raises:
            UsageError: The limit is not positive, or there is no such column.
        """
        if limit < 1:
            raise UsageError(f"a list of {limit} values shows nothing: take 1 or more")
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
        """What can be investigated, by kind and value: what stands in rows that are High."""
        found: dict[tuple[str, str], None] = {}
        for each in self.rows():
            for kind, columns in self.triage.anchors.items():
                for column in columns:
                    target = self.triage.targets[self.triage.target_of(column)]
                    value = each.row[column]
                    if each.severities[target] == Severity.HIGH and value is not None:
                        found[kind, str(value)] = None
        return sorted(found, key=lambda anchor: (anchor[0], by_number(anchor[1])))

    def told(self) -> list[Story]:
        """The stories that hold, in the order in which they were last saved."""
        stories: dict[tuple[str, str], Story] = {}
        for action in state.alive(self.actions()):
            if action.kind in (Kind.STORY, Kind.UNSTORY):
                said = json.loads(action.payload or "{}")
                anchor = str(said.get("anchor_kind", "")), str(said.get("anchor", ""))
                stories.pop(anchor, None)
                if action.kind == Kind.STORY:
                    title, text = str(said.get("title", "")), str(said.get("text", ""))
                    stories[anchor] = Story(*anchor, title, text, action)
        return list(stories.values())

    def attack_heuristics(self, peers: int = 20) -> list[FanOut]:
        """The sources that connect to more than so many others, most first."""
        self._has_columns("srcip", "dstip")
        return heuristics.fan_out(self._published.rows, peers)

    def explain(self, rank: int) -> Explanation:
        """Why a row is here, and what is known of its addresses, names and URIs.

        Args:
            rank: The row's, 0 for the most suspicious.

        Raises:
            UsageError: There is no such row, or the ranks are not published yet.
        """
        self._reloaded()
        if self._published.rows and None in self._published.ranks:
            raise self._without_ranks()
        rows, elsewhere = self.rows(), self._elsewhere()
        return explain(self._settings, self.pipeline, self.part, rows, rank, elsewhere=elsewhere)

    def feedback(self) -> Feedback:
        """The day's own rows for the scorer, by rank."""
        return write_rows(self.part.pipeline, self.judged())

    def judged(self, actions: Sequence[Action] | None = None) -> list[Judged]:
        """The scored rows by rank, with their current severities; see `rows`."""
        return [
            Judged(each.row, each.severities)
            for each in self.rows(actions)
            if any(each.severities.values())
        ]

    # -- inside -----------------------------------------------------------------------------

    def _check_anchor(self, kind: str, anchor: str) -> None:
        if kind not in self.triage.anchors:
            known = ", ".join(self.triage.anchors) or "none"
            raise UsageError(f"anchor {printable(kind)!r} is unknown: take one of {known}")
        if not anchor.strip():
            raise UsageError("nothing is named that the story is about")

    def _told(self, kind: Kind, payload: Mapping[str, object]) -> Reply:
        action = self._action(kind, payload=to_json(payload))
        return self._written(lambda _: action, [Reply(action)])

    def _judge(
        self,
        kind: Kind,
        severity: int,
        match_kind: str,
        selector: Selector,
        *,
        note: str,
        dry_run: bool,
        only_open: bool = False,
    ) -> Reply:
        kinds = self.triage.kinds
        match = kinds.get(match_kind)
        if match is None:
            raise UsageError(
                f"rows of {self.pipeline.name} are not selected by {printable(match_kind)!r}: take "
                f"one of {', '.join(['rows', *kinds])}"
            )
        notes = self._reloaded()
        wanted = _Wanted(
            kind,
            severity,
            match_kind,
            to_json(dict(selector)),
            select(match, selector, self._published.rows),
            self._targets(match),
            note,
            only_open,
        )
        return self._append(wanted, dry_run=dry_run, notes=notes)

    def _judge_ranks(
        self,
        kind: Kind,
        severity: int,
        ranks: Sequence[int],
        *,
        note: str,
        dry_run: bool,
        only_open: bool = False,
    ) -> Reply:
        run_id = self._published.run_id
        if self._reloaded():
            raise UsageError(
                f"{self.part} was published anew since its ranks were shown: nothing was written, "
                "look again"
            )
        places = {rank: place for place, rank in enumerate(self._published.ranks)}
        if not ranks:
            raise UsageError("nothing selected: no rank is given")
        if self._published.rows and None in places:
            raise self._without_ranks()
        if unknown := sorted(set(ranks) - set(places)):
            raise UsageError(
                f"rank {unknown[0]} is not in {self.part}: it has {_rows(len(places))}"
            )
        distinct = sorted(set(ranks))
        selector = to_json({"ranks": distinct, "run_id": run_id})
        wanted = _Wanted(
            kind,
            severity,
            "rows",
            selector,
            [places[rank] for rank in distinct],
            tuple(self.triage.targets),
            note,
            only_open,
        )
        return self._append(wanted, dry_run=dry_run)

    def _apply(self, rule: Rule | StandingRule, *, dry_run: bool) -> Reply:
        notes = self._reloaded()
        if isinstance(rule, Rule):
            self._has_columns(*(column for column, *_ in rule.terms))
        if isinstance(rule, Rule) and not rule.terms:
            notes.append("no place of the rule has a value: it matches nothing")
        wanted = _Wanted(
            Kind.LABEL,
            rule.severity,
            "rule",
            rule.canonical,
            rule.select(self._published.rows),
            (self.triage.main_target,),
            only_open=True,
            rule=rule,
        )
        return self._append(wanted, dry_run=dry_run, notes=notes)

    def _append(self, wanted: _Wanted, *, dry_run: bool, notes: Sequence[str] = ()) -> Reply:
        # Before anything is written, and in a dry run too.
        checked_text("note", wanted.note)
        keys = {self._published.keys[place] for place in wanted.places}
        suppressed = self._covered() if wanted.only_open else ()
        covered = {self._published.keys[place] for place in suppressed}
        outcome: list[Reply] = []

        def decide(actions: Sequence[Action]) -> Action | None:
            before = state.marks(actions)
            main = self.triage.main_target
            hit = {(self._published.keys[place], main) for place in self._hits}
            ruled = hit - before.keys()
            pairs = {
                (key, target)
                for key in keys
                for target in wanted.targets
                if not (
                    wanted.only_open
                    and (
                        key in covered
                        or (key, target) in ruled
                        or _is_decided(before, (key, target), wanted)
                    )
                )
            }
            action = with_rows(
                self._action(
                    wanted.kind,
                    severity=int(wanted.severity),
                    via=Via.RULE if wanted.rule else Via.HAND,
                    rule_id=wanted.rule.rule_id if wanted.rule else None,
                    match_kind=wanted.match_kind,
                    selector=wanted.selector,
                    note=wanted.note,
                ),
                pairs,
                self._count({key for key, _ in pairs}),
            )
            reply = self._compared(actions, action if pairs else None, keys=keys)
            scored = self._scored(before, keys, wanted.targets)
            overtaken = self._overtaken(before, keys, wanted)
            outcome.append(
                Reply(
                    None,
                    self._count(keys),
                    reply.changed,
                    scored,
                    (*notes, *overtaken),
                    dry_run,
                )
            )
            return action if pairs and not dry_run else None

        if dry_run:
            check(self._action(wanted.kind, severity=int(wanted.severity)))
            decide(self.actions())
            return outcome[0]
        return self._written(decide, outcome)

    def _without_ranks(self) -> UsageError:
        return UsageError(
            f"the ranks of {self.part} are not published yet: "
            f"`spot-oa refresh {self.part.pipeline} --date {self.part.date}` does it"
        )

    def _elsewhere(self) -> Iterator[tuple[Slice, Mapping[str, str], Sequence[LiveRow]]]:
        """Other days with labels, of all pipelines, if they are published."""
        for pipeline in load_pipelines(self._settings.pipelines_dir).values():
            if pipeline.triage is None:
                continue
            for day in self._store.last_seqs(pipeline.name):
                part = Slice(pipeline.name, parse_date(day))
                if part == self.part or abs(part.date - self.part.date).days > DAYS:
                    continue
                try:
                    other = Day(
                        self._settings,
                        pipeline,
                        part,
                        self._store,
                        author=self._author,
                        made_with=self._made_with,
                    )
                except SpotOaError:
                    continue  # Not published any more: nothing to show of it.
                yield part, identities(pipeline), other.rows()

    def _written(self, decide: Decide, outcome: list[Reply]) -> Reply:
        action = self._store.append(self.part.pipeline, self._day, decide)
        if action is not None:
            self.seen_seq = action.seq
        return replace(outcome[-1], action=action)

    def _action(self, kind: Kind, **fields: Any) -> Action:
        checked_text("note", fields.get("note") or "")
        return Action(
            author=self._author,
            made_with=self._made_with,
            pipeline=self.part.pipeline,
            day=self._day,
            kind=kind,
            seen_run_id=self._published.run_id,
            seen_seq=self.seen_seq,
            **{name: value for name, value in fields.items() if value != ""},
        )

    def _of_this_day(self, action: Action) -> None:
        if (action.pipeline, action.day) != (self.part.pipeline, self._day):
            raise UsageError(
                f"action {action.short_id} is of {action.pipeline} {action.day}, not of {self.part}"
            )

    def _reloaded(self) -> list[str]:
        """Read the day anew if it was published anew; then there is something to say."""
        manifest = read_manifest(published_folder(self._settings.data_dir, self.part))
        if manifest is not None and manifest.get("run_id") == self._published.run_id:
            return []
        self._take(read_day(self._settings, self.pipeline, self.part))
        return [f"{self.part} was published anew meanwhile, these are its rows now"]

    def _has_columns(self, *columns: str) -> None:
        rows = self._published.rows
        if missing := [column for column in columns if rows and column not in rows[0]]:
            raise UsageError(f"rows of {self.pipeline.name} have no {', '.join(missing)}")

    def _targets(self, match: Match) -> Sequence[str]:
        return match.targets or (self.triage.main_target,)

    def _count(self, keys: Container[str]) -> int:
        """How many rows of the day have one of the keys: equal rows count as many as they are."""
        return sum(key in keys for key in self._published.keys)

    def _severities(self, marks: state.Marks, key: str) -> dict[str, int]:
        return {
            column: state.severity(marks, key, target)
            for target, column in self.triage.targets.items()
        }

    def _covered(self) -> Mapping[int, Sequence[Suppression]]:
        """Which rows are suppressed at this moment, by their places."""
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
        severities = self._severities(marks, key)
        targets = self.triage.targets
        judged = [marks[key, target] for target in targets if (key, target) in marks]
        main = self.triage.main_target
        rule = None if (key, main) in marks else self._hits.get(place)
        if rule is not None:
            severities[targets[main]] = int(rule.severity)
        action = next((each for each in judged if each.severity), judged[0] if judged else None)
        return LiveRow(
            rank,
            self._published.rows[place],
            key,
            severities,
            Severity(next((each for each in severities.values() if each), 0)),
            not severities[targets[main]] and not covered,
            None if rule is not None else action,
            rule,
            min(covered, key=lambda each: each.id, default=None),
        )

    def _compared(
        self, actions: Sequence[Action], action: Action | None, keys: Container[str] = ()
    ) -> Reply:
        """What an action would change; `keys` are the rows that count as matched by it."""
        before = state.marks(actions)
        last = max((each.seq for each in actions), default=0)
        after = state.marks([*actions, replace(action, seq=last + 1)] if action else actions)
        changed = {
            key
            for key in set(self._published.keys)
            if self._severities(before, key) != self._severities(after, key)
        }
        return Reply(action, self._count(keys or changed), self._count(changed))

    def _scored(
        self, before: state.Marks, keys: Iterable[str], targets: Sequence[str]
    ) -> Mapping[Severity, int]:
        """Rows by the severity that they have already in what is judged."""
        counts: Counter[Severity] = Counter()
        for key in keys:
            severity = next((s for t in targets if (s := state.severity(before, key, t))), 0)
            counts[Severity(severity)] += self._count({key})
        del counts[Severity.NOT_SCORED]
        return dict(sorted(counts.items(), reverse=True))

    def _overtaken(self, before: state.Marks, keys: set[str], wanted: _Wanted) -> list[str]:
        """What others judged of these rows since they were shown."""
        by_action: dict[int, tuple[Action, set[str]]] = {}
        for key in keys:
            for target in wanted.targets:
                action = before.get((key, target))
                if action and action.seq > self.seen_seq and action.author != self._author:
                    by_action.setdefault(action.seq, (action, set()))[1].add(key)
        now = Severity(wanted.severity).title
        return [
            f"{self._count(rows)} of {_rows(self._count(keys))}: {printable(action.author)} scored "
            f"them {Severity(action.severity or 0).title} at {action.recorded_at[11:16]}, now {now}"
            for _, (action, rows) in sorted(by_action.items())
        ]


def open_day(
    pipeline: str,
    date: object,
    *,
    settings: Settings | None = None,
    author: str | None = None,
    made_with: str = "notebook",
) -> Day:
    """Open a published day.

    Args:
        pipeline: Its name.
        date: The day, as `2016-07-08` or `20160708`.
        settings: Where everything is; read from the environment if None.
        author: Whose actions these will be; `SPOT_OA_AUTHOR`, or the system's user, if None.
        made_with: What the actions are made with: `notebook` or `cli`.

    Raises:
        UsageError: The pipeline is unknown, or the day is not published.
        SpotOaError: The day or the store cannot be read.
    """
    settings = settings or load_settings()
    described = get_pipeline(pipeline, settings.pipelines_dir)
    return Day(
        settings,
        described,
        Slice(described.name, parse_date(date)),
        open_store(settings),
        author=settings.who if author is None else author,
        made_with=made_with,
    )


def _is_decided(marks: state.Marks, row: RowKey, wanted: _Wanted) -> bool:
    """Whether what is for open rows only leaves this one alone."""
    action = marks.get(row)
    if action is None:
        return False
    # A person who cleared a row has judged it: a rule would be written and never hold.
    return bool(action.severity) or (wanted.rule is not None and action.via != Via.RULE)


def _taken_back(actions: Sequence[Action], reset: Action) -> list[Action]:
    last = max((each.seq for each in actions), default=0)
    left = {each.seq for each in state.alive([*actions, replace(reset, seq=last + 1)])}
    return [each for each in state.alive(actions) if each.seq not in left]


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
