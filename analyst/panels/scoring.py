"""Scoring by lists: what is chosen, which rows that means, and what comes of it. No widgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analyst.actions import Severity, parse_severity
from analyst.day import Reply, Shown
from analyst.pictures.text import many
from analyst.selectors import Chosen, chosen
from analyst.workbench import COFF, Workbench
from spot_oa.errors import SpotOaError, UsageError, printable

TITLES: Mapping[str, str] = {
    "srcip": "Source IP",
    "dstip": "Dest IP",
    "sport": "Src Port",
    "dport": "Dst Port",
    "ip_dst": "Client IP",
    "dns_qry_name": "Query",
    "fulluri": "URI",
    "clientip": "Client IP",
}
"""What the lists of columns are called; others by their column."""
QUICK: Mapping[str, str] = {
    "ip": "Quick IP scoring",
    "suffix": "Quick scoring: a name and all below it",
    "uri": "Quick scoring: a full URI",
}
"""What the box is called that goes before the lists, by the kind of selector."""


@dataclass(frozen=True, slots=True)
class Column:
    """A list of values to choose from."""

    name: str
    title: str
    follows: str | None = None
    """The column that has to be chosen first, and whose choice it depends on."""


class Scoring:
    """What is chosen in the lists, and the actions on it.

    `choices`, `finds`, `quick`, `severity`, `note`, `only_open` and `each` are set by who draws it.
    """

    def __init__(self, day: Workbench, coff: int = COFF) -> None:
        if coff < 1:
            raise UsageError(f"COFF {coff}: a list of so many values shows nothing, take 1 or more")
        self.day = day
        self.coff = coff
        self.columns = _columns(day)
        self.quick_kind = _quick_kind(day)
        self.has_each = _has_each(day)
        self.choices: dict[str, object] = {}
        self.finds: dict[str, str] = {}
        self.severity: Severity | None = None
        self.clear()

    def clear(self) -> None:
        """Forget what was chosen; a severity is never there by itself."""
        # The same dictionaries: who draws them holds them.
        self.choices.update(dict.fromkeys((each.name for each in self.columns), None))
        self.finds.update(dict.fromkeys(self.choices, ""))
        self.quick = ""
        self.severity = None
        self.note = ""
        self.only_open = False
        self.each = False

    @property
    def quick_title(self) -> str:
        """What the box is called; empty if there is none."""
        return QUICK.get(self.quick_kind, self.quick_kind) if self.quick_kind else ""

    def values(self, column: Column) -> Shown:
        """The values of open rows that a list shows; none before what it follows is chosen."""
        if column.follows is None:
            return self.day.values(column.name, self.coff, self.finds[column.name])
        first = self.choices[column.follows]
        if first is None:
            return Shown([], 0)
        among = {column.follows: first}
        return self.day.values(column.name, self.coff, self.finds[column.name], among)

    def selected(self) -> list[Chosen]:
        """What is chosen, as selectors; what is typed goes before the lists.

        Raises:
            UsageError: Nothing is.
        """
        if self.quick.strip() and self.quick_kind:
            (name,) = self.day.triage.kinds[self.quick_kind].by
            return [(self.quick_kind, {name: self.quick.strip()})]
        given = {name: _plain(value) for name, value in self.choices.items() if value is not None}
        if not given:
            raise UsageError("nothing selected: choose from a list, or type into the quick box")
        return chosen(self.day.triage, given, each=self.each)

    def preview(self) -> tuple[bool, str]:
        """Whether there is something to score, and what it would be."""
        try:
            replies = [
                self.day.label(kind, selector, Severity.LOW, only_open=self.only_open, dry_run=True)
                for kind, selector in self.selected()
            ]
        except SpotOaError as error:
            return False, str(error)
        matched = sum(each.matched for each in replies)
        said = " and ".join(_rows(each) for each in replies)
        if self.quick.strip():
            said += "; the lists are ignored"
        if self.only_open and any(each.scored for each in replies):
            said += "; they are left alone"
        if matched and self.severity is None:
            said += "; choose a severity"
        return matched > 0 and self.severity is not None, said

    def score(self) -> str:
        """Put the severity on the rows.

        Returns:
            What came of it; nothing is written where something is missing.
        """
        try:
            if self.severity is None:
                raise UsageError("no severity chosen, nothing scored")
            severity = parse_severity(int(self.severity))
            replies = [
                self.day.label(kind, selector, severity, note=self.note, only_open=self.only_open)
                for kind, selector in self.selected()
            ]
        except SpotOaError as error:
            return str(error)
        told = [told_of(self.day, each, severity) for each in replies]
        if any(each.action for each in replies):
            self.clear()
        return " ".join(told)

    def undo(self) -> str:
        """Take back one's own last action."""
        return undone(self.day)

    def save(self) -> str:
        """See `Workbench.save`."""
        try:
            return self.day.save()
        except SpotOaError as error:
            return str(error)


def told_of(day: Workbench, reply: Reply, severity: Severity) -> str:
    """What a reply says to who has clicked."""
    if reply.action is None:
        return "; ".join(["No row is such, nothing scored.", *reply.notes])
    still = sum(each.is_open for each in day.rows())
    count = many(reply.action.row_count, "row")
    said = f"{count} scored {severity.title} (action {reply.action.short_id}). {still:,} open."
    return " ".join([said, *(f"{note}." for note in reply.notes)])


def undone(day: Workbench) -> str:
    """Take back one's own last action, and say so."""
    try:
        reply = day.undo()
    except SpotOaError as error:
        return str(error)
    return f"Taken back: {many(reply.changed, 'row')} as before."


def _rows(reply: Reply) -> str:
    before = sum(reply.scored.values())
    already = ", ".join(f"{count} {severity.title}" for severity, count in reply.scored.items())
    return many(reply.matched, "row") + (f", {before} scored already ({already})" if before else "")


def _columns(day: Workbench) -> list[Column]:
    """The columns that can be chosen from, in the order of the description."""
    kinds = day.triage.kinds.values()
    found: dict[str, Column] = {}
    for match in kinds:
        if match.typed:
            continue
        for name in match.by:
            alone = any(each.some or list(each.by) == [name] for each in kinds if name in each.by)
            follows = None if alone else next(iter(match.by))
            found.setdefault(name, Column(name, TITLES.get(name, name), follows))
    return list(found.values())


def _quick_kind(day: Workbench) -> str:
    kinds = day.triage.kinds
    typed = [kind for kind, match in kinds.items() if match.typed and len(match.by) == 1]
    return next(iter([*typed, *(kind for kind in kinds if kind in QUICK)]), "")


def _has_each(day: Workbench) -> bool:
    """Whether two choices can be one label of both, or one label of each."""
    kinds = [match for match in day.triage.kinds.values() if not match.typed]
    alone = {next(iter(match.by)) for match in kinds if len(match.by) == 1}
    return any(len(match.by) > 1 and set(match.by) <= alone for match in kinds)


def _plain(value: object) -> str | int:
    return value if isinstance(value, int) else str(value)


def shown(value: object, length: int) -> str:
    """A value of a list, cut for display only."""
    text = printable(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"
