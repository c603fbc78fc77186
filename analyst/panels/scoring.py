"""Scoring by lists: the choices, the matching rows, and the actions. No widgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from analyst.actions import Severity, parse_severity
from analyst.day import Reply, all_or_none
from analyst.live import Shown
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
"""Column -> the title of its list; other lists use the name of their column."""
QUICK: Mapping[str, str] = {
    "ip": "Quick IP scoring",
    "suffix": "Quick scoring: a name and all below it",
    "uri": "Quick scoring: a full URI",
}
"""Kind of selector -> the title of the quick box, which takes precedence over the lists."""


@dataclass(frozen=True, slots=True)
class Column:
    """A list of values to choose from."""

    name: str
    title: str
    follows: str | None = None
    """The column whose value must be chosen first; it determines the values of this one."""


class Scoring:
    """The choices in the lists, and the actions on the selected rows.

    The widgets set `choices`, `finds`, `quick`, `severity`, `note`, `only_open` and `each`.
    """

    def __init__(self, day: Workbench, coff: int = COFF) -> None:
        if coff < 1:
            raise UsageError(f"COFF {coff}: a list of {coff} values shows nothing: use 1 or more")
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
        """Reset the choices; there is no default severity."""
        # Update the dictionaries in place: the widgets refer to them.
        self.choices.update(dict.fromkeys((each.name for each in self.columns), None))
        self.finds.update(dict.fromkeys(self.choices, ""))
        self.quick = ""
        self.severity = None
        self.note = ""
        self.only_open = False
        self.each = False

    @property
    def quick_title(self) -> str:
        """The title of the quick box; empty if there is none."""
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
        """Return the choices as selectors; typed text takes precedence over the lists.

        Raises:
            UsageError: Nothing is selected.
        """
        if self.quick.strip() and self.quick_kind:
            (name,) = self.day.triage.kinds[self.quick_kind].by
            return [(self.quick_kind, {name: self.quick.strip()})]
        given = {name: _plain(value) for name, value in self.choices.items() if value is not None}
        if not given:
            raise UsageError("nothing selected: choose from a list, or type into the quick box")
        return chosen(self.day.triage, given, each=self.each)

    def preview(self) -> tuple[bool, str]:
        """Return whether there is something to score, and a description of the rows."""
        notes: list[str] = []
        try:
            notes += self.day.reload()
            replies = [
                self.day.label(kind, selector, Severity.LOW, only_open=self.only_open, dry_run=True)
                for kind, selector in self.selected()
            ]
        except SpotOaError as error:
            return False, "; ".join([*notes, str(error)])
        matched = sum(each.matched for each in replies)
        text = "; ".join([*notes, " and ".join(_rows(each) for each in replies)])
        if self.quick.strip():
            text += "; the lists are ignored"
        if self.only_open and any(each.scored for each in replies):
            text += "; scored rows are skipped"
        if matched and self.severity is None:
            text += "; choose a severity"
        return matched > 0 and self.severity is not None, text

    def score(self) -> str:
        """Score the selected rows; write nothing if the selection or severity is missing.

        Returns:
            The result as text.
        """
        texts: list[str] = []
        try:
            if self.severity is None:
                raise UsageError("nothing scored: choose a severity")
            severity = parse_severity(int(self.severity))
            label = partial(self.day.label, note=self.note, only_open=self.only_open)
            for reply in all_or_none([partial(label, *each, severity) for each in self.selected()]):
                texts.append(reply_text(self.day, reply, severity))
                if reply.action:
                    self.clear()
        except SpotOaError as error:
            texts.append(str(error))
        return " ".join(texts)

    def undo(self) -> str:
        """Undo the author's own last action."""
        return undone(self.day)

    def save(self) -> str:
        """See `Workbench.save`."""
        try:
            return self.day.save()
        except SpotOaError as error:
            return str(error)


def reply_text(day: Workbench, reply: Reply, severity: Severity) -> str:
    """Return a reply as text for the analyst."""
    if reply.action is None and reply.matched:
        rest = "" if sum(reply.scored.values()) == reply.matched else ", the others suppressed"
        return "; ".join([f"Nothing scored: {_rows(reply)}{rest}", *reply.notes])
    if reply.action is None:
        return "; ".join(["No row matches, nothing scored.", *reply.notes])
    still = sum(each.is_open for each in day.rows())
    count = many(reply.action.row_count, "row")
    text = f"{count} scored {severity.title} (action {reply.action.short_id}). {still:,} open."
    return " ".join([text, *(f"{note}." for note in reply.notes)])


def undone(day: Workbench) -> str:
    """Undo the author's own last action; return the result as text."""
    try:
        reply = day.undo()
    except SpotOaError as error:
        return str(error)
    return f"Undone: {many(reply.changed, 'row')} restored."


def _rows(reply: Reply) -> str:
    before = sum(reply.scored.values())
    already = ", ".join(f"{count} {severity.title}" for severity, count in reply.scored.items())
    return many(reply.matched, "row") + (f", {before} already scored ({already})" if before else "")


def _columns(day: Workbench) -> list[Column]:
    """Return the columns with a list, in the order of the pipeline's description."""
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
    """Whether two choices can be scored either together or separately."""
    kinds = [match for match in day.triage.kinds.values() if not match.typed]
    alone = {next(iter(match.by)) for match in kinds if len(match.by) == 1}
    return any(len(match.by) > 1 and set(match.by) <= alone for match in kinds)


def _plain(value: object) -> str | int:
    return value if isinstance(value, int) else str(value)


def shown(value: object, length: int) -> str:
    """Return a value of a list, shortened for display only."""
    text = printable(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"
