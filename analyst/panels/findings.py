"""Investigating: which anchors there are, a search, and the story that is written. No widgets."""

from __future__ import annotations

from analyst.day import Story
from analyst.investigation import DETAILS_LIMIT, TOP_RESULTS, Found, preview, search
from analyst.panels.scoring import shown
from analyst.pictures.notebook import Picture, message
from analyst.workbench import Workbench
from spot_oa.errors import SpotOaError

_KINDS = {"client": "client ", "query": "name "}
NONE = "No row is scored High yet: score some in Edge_Investigation, then press Refresh."
_SEARCH = "Choose an anchor and press Search first, then run this cell again."
_WIDEST = 120
Anchor = tuple[str, str]


class Findings:
    """What can be investigated, what was found, and what is told of it."""

    def __init__(self, day: Workbench, top_results: int, details_limit: int) -> None:
        self.day = day
        self.top_results = top_results
        self.details_limit = details_limit
        self.found: Found | None = None

    def anchors(self) -> list[tuple[str, Anchor]]:
        """What is offered, as shown and as it is: High anchors, and those that have a story."""
        told = {(each.anchor_kind, each.anchor) for each in self.day.told()}
        high = self.day.anchors()
        return [
            (_named(each, told, gone=each not in high), each)
            for each in [*high, *sorted(told - set(high))]
        ]

    def story(self, anchor: Anchor) -> Story | None:
        """The story of an anchor, if it has one."""
        return next(
            (each for each in self.day.told() if (each.anchor_kind, each.anchor) == anchor), None
        )

    def search(self, anchor: Anchor) -> str:
        """Look through the day's traffic; `found` has what it brings."""
        try:
            self.found = search(
                self.day, *anchor, top_results=self.top_results, details_limit=self.details_limit
            )
        except SpotOaError as error:
            self.found = None
            return str(error)
        return self.found.headline

    def save(self, anchor: Anchor, title: str, text: str) -> str:
        """Write the story down."""
        try:
            reply = self.day.save_story(*anchor, title, text, top_results=self.top_results)
        except SpotOaError as error:
            return str(error)
        return f"Story saved (action {reply.action.short_id})." if reply.action else "not saved"

    def remove(self, anchor: Anchor) -> str:
        """Take the story away."""
        try:
            self.day.remove_story(*anchor)
        except SpotOaError as error:
            return str(error)
        return "Story removed; it stays in the history."

    def preview(self) -> Picture:
        """What was found, as pictures."""
        return message(_SEARCH) if self.found is None else preview(self.day, self.found)


def _named(anchor: Anchor, told: set[Anchor], *, gone: bool) -> str:
    kind, value = anchor
    pen = "✎ " if anchor in told else ""
    return f"{pen}{_KINDS.get(kind, '')}{shown(value, _WIDEST)}{' (not High now)' if gone else ''}"


__all__ = ["DETAILS_LIMIT", "NONE", "TOP_RESULTS", "Anchor", "Findings"]
