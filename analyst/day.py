"""A published day with the analysts' actions; used by the command line and by notebooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from analyst import state
from analyst.actions import (
    MOST_RESULTS,
    TOP_RESULTS,
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
from analyst.live import LiveDay
from analyst.rules import Rule, parse_rule
from analyst.selectors import Selector, select
from analyst.standing import StandingRule
from analyst.store import Decide, SqliteStore, open_store
from spot_oa.dates import Slice, parse_date
from spot_oa.errors import UsageError, printable
from spot_oa.pipelines import Match, Pipeline, get_pipeline
from spot_oa.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of one action, or of its dry run."""

    action: Action | None
    """The action that was written; None if nothing was."""
    matched: int = 0
    changed: int = 0
    """Number of rows whose severity changed."""
    scored: Mapping[Severity, int] = field(default_factory=dict)
    """Number of rows by the severity that they had before."""
    notes: Sequence[str] = ()
    dry_run: bool = False

    def __str__(self) -> str:
        before = sum(self.scored.values())
        already = ", ".join(f"{count} {severity.title}" for severity, count in self.scored.items())
        rows = f"{_rows(self.matched)}, {self.changed} changed"
        if before:
            rows += f", {before} already scored ({already})"
        if self.dry_run:
            rows += "; dry run, nothing written"
        elif self.action is not None:
            rows += f"; action {self.action.short_id}"
        else:
            rows += "; no action"
        return "; ".join([rows, *self.notes])

    def as_json(self) -> dict[str, object]:
        """The result as JSON values."""
        return {
            "action_id": self.action.action_id if self.action and not self.dry_run else None,
            "matched": self.matched,
            "changed": self.changed,
            "already_scored": {each.title: count for each, count in self.scored.items()},
            "notes": list(self.notes),
            "dry_run": self.dry_run,
        }


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A requested label or clear, before the rows to write are determined."""

    kind: Kind
    severity: int
    match_kind: str
    selector: str
    places: Sequence[int]
    targets: Sequence[str]
    note: str = ""
    only_open: bool = False
    rule: Rule | StandingRule | None = None


class Day(LiveDay):
    """One pipeline's day: the published rows and the actions on them."""

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
        super().__init__(settings, pipeline, part, store)
        self._author = author
        self._made_with = made_with
        self.seen_seq = store.last_seq(part.pipeline, self._day)

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
        """Set the severity of all rows that a selector matches; the latest label wins.

        Args:
            kind: One of `Triage.kinds`.
            selector: Its values.
            severity: `high`, `medium`, `low`, or 1, 2, 3.
            note: Free text.
            only_open: Skip rows that are already scored or suppressed.
            dry_run: Write nothing.

        Raises:
            UsageError: Nothing is selected, or a value is invalid.
        """
        level = parse_severity(severity)
        return self._judge(
            Kind.LABEL, level, kind, selector, note=note, only_open=only_open, dry_run=dry_run
        )

    def clear(
        self, kind: str, selector: Selector, *, note: str = "", dry_run: bool = False
    ) -> Reply:
        """Remove the severity of all rows that a selector matches; see `label`."""
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
        """Set the severity of exactly these rows of the published day.

        Raises:
            UsageError: A rank is not in the day, or the ranks are not known.
        """
        level = parse_severity(severity)
        return self._judge_ranks(
            Kind.LABEL, level, ranks, note=note, only_open=only_open, dry_run=dry_run
        )

    def clear_ranks(self, ranks: Sequence[int], *, note: str = "", dry_run: bool = False) -> Reply:
        """Remove the severity of exactly these rows; see `label_ranks`."""
        return self._judge_ranks(Kind.CLEAR, 0, ranks, note=note, dry_run=dry_run)

    def undo(self, action_id: str | None = None, *, note: str = "") -> Reply:
        """Undo one action: its rows return to their previous severities.

        Args:
            action_id: The beginning of the action's id; the author's own last action if None.
            note: Free text.

        Raises:
            UsageError: This day has no such action, or it is no longer in effect.
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
                    f"{printable(self._author)} has no action on {self.part} to undo; give an "
                    "action id to undo another author's"
                )
            if target.action_id not in {each.action_id for each in living}:
                raise UsageError(
                    f"action {target.short_id} is no longer in effect: it was undone or reset"
                )
            action = self._action(Kind.UNDO, note=note, refers_to=target.action_id)
            changed = self._changed(actions, action)
            outcome.append(Reply(action, changed, changed))
            return action

        return self._written(decide, outcome)

    def reset(self, confirm: str | None, *, with_stories: bool = False, note: str = "") -> Reply:
        """Reset every label of the day; nothing is deleted, and a reset can be undone.

        Args:
            confirm: The day as `20160708`; with any other value nothing is written.
            with_stories: Also reset the stories.
            note: Free text.

        Raises:
            UsageError: The reset is not confirmed.
        """
        outcome: list[Reply] = []

        def decide(actions: Sequence[Action]) -> Action | None:
            payload = state.WITH_STORIES if with_stories else state.WITHOUT_STORIES
            action = self._action(Kind.RESET, note=note, payload=payload)
            gone = _taken_back(actions, action)
            labels = [each for each in gone if each.kind in (Kind.LABEL, Kind.CLEAR)]
            authors = {each.author for each in gone}
            what = f"{len(labels)} labels of {len(authors)} authors" + (
                f" and {len(gone) - len(labels)} other actions" if len(gone) > len(labels) else ""
            )
            if confirm != self.part.compact:
                raise UsageError(
                    f"reset would take back {what} on {self.part}; nothing was written: confirm "
                    f"with --yes, or in a notebook with confirm={self.part.compact!r}"
                )
            if not gone:
                outcome.append(Reply(None, notes=("nothing to reset",)))
                return None
            changed = self._changed(actions, action)
            outcome.append(Reply(action, changed, changed, notes=(f"reset {what}",)))
            return action

        return self._written(decide, outcome)

    def restore(
        self, *, before: str | None = None, confirm: str | None = None, note: str = ""
    ) -> list[Reply]:
        """Restore an earlier state of the day: as published, or before an action.

        Nothing is deleted: this is a reset, or undoes the action and all later ones.

        Args:
            before: The beginning of an action's id; None resets the day.
            confirm: For a reset, the day as `20160708`.
            note: Free text.

        Raises:
            UsageError: This day has no such action, or the reset is not confirmed.
        """
        if before is None:
            return [self.reset(confirm, note=note)]
        first = self._store.find(before)
        self._of_this_day(first)
        # Undoing an undo brings an earlier action back; the loop reaches that action later.
        later = [each for each in self.actions() if each.seq >= first.seq]
        return [
            self.undo(action.action_id, note=note)
            for action in reversed(later)
            if action.action_id in {each.action_id for each in state.alive(self.actions())}
        ]

    def try_rules(
        self, rules: Sequence[tuple[Sequence[str], Sequence[object], object]]
    ) -> list[Reply]:
        """Report how many open rows each rule would score; write nothing."""
        return [self._apply(parse_rule(*rule), dry_run=True) for rule in rules]

    def apply_rules(
        self, rops: Sequence[str], rvals: Sequence[object], risk: object, *, dry_run: bool = False
    ) -> Reply:
        """Score the open rows that a rule on srcip, dstip, sport, dport, ipkt, ibyt matches.

        A rule never overrides a person, and a rule without any value matches nothing.

        Raises:
            UsageError: The rule is invalid, or the pipeline's rows do not have its columns.
        """
        return self._apply(parse_rule(rops, rvals, risk), dry_run=dry_run)

    def try_standing(self) -> list[tuple[StandingRule, int, Reply]]:
        """Return each rule of the rule file, how many rows it matches, and its dry run."""
        return [
            (
                rule,
                len(rule.select(self._published.rows)),
                self.apply_standing(rule.id, dry_run=True),
            )
            for rule in self.rules
        ]

    def apply_standing(self, rule_id: str, *, dry_run: bool = False) -> Reply:
        """Label the open rows that a rule of the rule file matches; the labels outlive the rule.

        Raises:
            UsageError: There is no such rule.
        """
        rule = next((each for each in self.rules if each.id == rule_id), None)
        if rule is None:
            known = ", ".join(each.id for each in self.rules) or "there is none"
            raise UsageError(f"rule {printable(rule_id)!r} is not in the rule file: {known}")
        return self._apply(rule, dry_run=dry_run)

    def save_story(
        self,
        anchor_kind: str,
        anchor: str,
        title: str,
        text: str,
        *,
        top_results: int = TOP_RESULTS,
    ) -> Reply:
        """Save the story of an anchor; it replaces the anchor's previous story.

        Args:
            anchor_kind: One of `Triage.anchors`.
            anchor: The address, name or URI.
            title: One line.
            text: Any number of lines, stored as typed.
            top_results: Number of peers per direction in the tables of the story.

        Raises:
            UsageError: A text is blank or too long, or the kind of anchor is unknown.
        """
        self._check_anchor(anchor_kind, anchor)
        for name, value in (("title", title), ("text", text)):
            if not checked_text(name, value).strip():
                raise UsageError(f"the story's {name} is blank: nothing was written")
        if not 1 <= top_results <= MOST_RESULTS:
            raise UsageError(f"top_results {top_results}: use 1 to {MOST_RESULTS}")
        payload = {
            "anchor_kind": anchor_kind,
            "anchor": anchor,
            "title": title,
            "text": text,
            "top_results": top_results,
        }
        return self._write_story(Kind.STORY, payload)

    def remove_story(self, anchor_kind: str, anchor: str) -> Reply:
        """Remove the story of an anchor; it stays in the history.

        Raises:
            UsageError: The anchor has no story.
        """
        self._check_anchor(anchor_kind, anchor)
        if (anchor_kind, anchor) not in {(s.anchor_kind, s.anchor) for s in self.saved_stories()}:
            raise UsageError(f"{printable(anchor)} has no story on {self.part}")
        return self._write_story(Kind.UNSTORY, {"anchor_kind": anchor_kind, "anchor": anchor})

    def find_anchor(
        self, text: str, kind: str | None = None, *, with_story: bool = False
    ) -> tuple[str, str]:
        """Find a typed anchor in the day: return its kind, and its spelling in the rows.

        Args:
            text: As typed; addresses and names compare as they do in selectors.
            kind: One of `Triage.anchors`; any if None.
            with_story: Only anchors that have a story, even if no row has them any more.

        Raises:
            UsageError: The day has no such anchor, or has it in two kinds.
        """
        if kind is not None:
            self._check_anchor(kind, text)
        found: dict[str, dict[str, None]] = {}
        for anchor_kind, value in self._anchors(with_story=with_story):
            if kind in (None, anchor_kind) and self._is_anchor(anchor_kind, text.strip(), value):
                found.setdefault(anchor_kind, {})[value] = None
        if not found:
            where = "has no story on" if with_story else "is not in any row of"
            raise UsageError(f"{printable(text)!r} {where} {self.part}: use another anchor")
        if len(found) > 1:
            raise UsageError(
                f"{printable(text)!r} is {' and '.join(found)} on {self.part}: give its kind"
            )
        (meant, values), *_ = found.items()
        return meant, next((each for each in values if each == text), next(iter(values)))

    def _check_anchor(self, kind: str, anchor: str) -> None:
        if kind not in self.triage.anchors:
            known = ", ".join(self.triage.anchors) or "none"
            raise UsageError(f"anchor kind {printable(kind)!r} is unknown: use one of {known}")
        if not anchor.strip():
            raise UsageError("the anchor is blank: give the address, name or URI")

    def _write_story(self, kind: Kind, payload: Mapping[str, object]) -> Reply:
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
                f"rows of {self.pipeline.name} cannot be selected by {printable(match_kind)!r}: "
                f"use one of {', '.join(['rows', *kinds])}"
            )
        notes = self.reload()
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
        if self.reload():
            raise republished(self.part)
        places = {rank: place for place, rank in enumerate(self._published.ranks)}
        if not ranks:
            raise UsageError("nothing selected: give at least one rank")
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
        notes = self.reload()
        if isinstance(rule, Rule):
            self._has_columns(*(column for column, *_ in rule.terms))
        if isinstance(rule, Rule) and not rule.terms:
            notes.append("the rule has no value: it matches nothing")
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
        # Checked before anything is written, and in a dry run too.
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
            outcome.append(
                Reply(
                    None,
                    self._count(keys),
                    self._changed(actions, action) if pairs else 0,
                    self._scored(before, keys, wanted.targets),
                    (*notes, *self._overtaken(actions, keys, wanted)),
                    dry_run,
                )
            )
            return action if pairs and not dry_run else None

        if dry_run:
            check(self._action(wanted.kind, severity=int(wanted.severity)))
            decide(self.actions())
            return outcome[0]
        return self._written(decide, outcome)

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
        check_dated(action)
        if (action.pipeline, action.day) != (self.part.pipeline, self._day):
            raise UsageError(
                f"action {action.short_id} belongs to {action.pipeline} {action.day}, not "
                f"{self.part}"
            )

    def _targets(self, match: Match) -> Sequence[str]:
        return match.targets or (self.triage.main_target,)

    def _changed(self, actions: Sequence[Action], action: Action) -> int:
        """Count the rows whose severity an action would change."""
        before = state.marks(actions)
        last = max((each.seq for each in actions), default=0)
        after = state.marks([*actions, replace(action, seq=last + 1)])
        return sum(
            self._severities(before, place) != self._severities(after, place)
            for place in range(len(self._published.rows))
        )

    def _scored(
        self, before: state.Marks, keys: Container[str], targets: Sequence[str]
    ) -> Mapping[Severity, int]:
        """Count the rows by the severity that their targets already have."""
        counts: Counter[Severity] = Counter()
        columns = [self.triage.targets[target] for target in targets]
        for place, key in enumerate(self._published.keys):
            if key in keys:
                found = self._severities(before, place)
                counts[Severity(next((found[name] for name in columns if found[name]), 0))] += 1
        del counts[Severity.NOT_SCORED]
        return dict(sorted(counts.items(), reverse=True))

    def _overtaken(
        self, actions: Sequence[Action], keys: Collection[str], wanted: _Wanted
    ) -> list[str]:
        """Return notes on what others changed on these rows since they were shown."""
        shown = state.marks(each for each in actions if each.seq <= self.seen_seq)
        now = state.marks(actions)
        changed = {
            each for each in product(keys, wanted.targets) if shown.get(each) is not now.get(each)
        }
        # No label is newer: an undo or a reset has brought these back to an older state.
        older = {each for each in changed if each not in now or now[each].seq <= self.seen_seq}
        found: list[tuple[Action, set[RowKey]]] = []
        for place in reversed(range(len(actions))):
            action = actions[place]
            if action.seq <= self.seen_seq:
                break
            if action.kind not in (Kind.UNDO, Kind.RESET):
                pairs = {each for each in changed if now.get(each) is action}
            elif older:
                before, after = state.marks(actions[:place]), state.marks(actions[: place + 1])
                pairs = {each for each in older if before.get(each) is not after.get(each)}
                older -= pairs
            else:
                continue
            if pairs and action.author != self._author:
                found.append((action, pairs))
        level, of = Severity(wanted.severity).title, _rows(self._count(keys))
        return [
            f"{self._count({key for key, _ in pairs})} of {of}: {_deed(action)} at "
            f"{action.recorded_at[11:16]}, now {level}"
            for action, pairs in reversed(found)
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
        settings: The settings; read from the environment if None.
        author: The author of the actions; `SPOT_OA_AUTHOR`, or the system's user, if None.
        made_with: The tool that writes the actions: `notebook` or `cli`.

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


def all_or_none(acts: Sequence[Callable[..., Reply]], *, dry_run: bool = False) -> Iterator[Reply]:
    """Carry out actions one by one; if one of them is invalid, write nothing.

    Args:
        acts: The actions; each takes `dry_run`.
        dry_run: Write nothing.

    Yields:
        The reply to each action.

    Raises:
        UsageError: An action is invalid.
    """
    tried = [act(dry_run=True) for act in acts]
    if dry_run:
        yield from tried
        return
    for act, trial in zip(acts, tried, strict=True):
        reply = act()
        # The trial has already reloaded the day, and each write moves `seen_seq`.
        yield replace(reply, notes=tuple(dict.fromkeys([*trial.notes, *reply.notes])))


def check_dated(action: Action) -> None:
    """Check that an action belongs to a day, so that it can be undone there.

    Raises:
        UsageError: It suppresses rows of many days, or takes that back.
    """
    if action.day is None:
        instead = f"spot-oa {'un' if action.kind == Kind.SUPPRESS else ''}suppress"
        raise UsageError(
            f"action {action.short_id} ({action.kind}) cannot be undone: use `{instead}`"
        )


def republished(part: Slice) -> UsageError:
    """Return the error for rows chosen by their place in a list of an earlier run."""
    return UsageError(
        f"{part} was published again after its rows were shown: nothing was written; choose "
        "from the new rows"
    )


def _is_decided(marks: state.Marks, row: RowKey, wanted: _Wanted) -> bool:
    """Whether an action on open rows only skips this row."""
    action = marks.get(row)
    if action is None:
        return False
    # Clearing a row by hand is a decision too: a rule's label would never take effect.
    return bool(action.severity) or (wanted.rule is not None and action.via != Via.RULE)


def _taken_back(actions: Sequence[Action], reset: Action) -> list[Action]:
    last = max((each.seq for each in actions), default=0)
    left = {each.seq for each in state.alive([*actions, replace(reset, seq=last + 1)])}
    return [each for each in state.alive(actions) if each.seq not in left]


def _deed(action: Action) -> str:
    """Describe what an action did to the rows that it changed."""
    who = printable(action.author)
    if action.kind in (Kind.UNDO, Kind.RESET):
        return f"{who}'s {action.kind} changed them"
    return f"{who} scored them {Severity(action.severity or 0).title}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
