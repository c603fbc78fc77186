"""Investigation of anchors: list, search, write the story. No widgets."""

from __future__ import annotations

from analyst.actions import TOP_RESULTS
from analyst.investigation import DETAILS_LIMIT, Found, preview, search
from analyst.live import Story
from analyst.panels.scoring import shown
from analyst.pictures.notebook import Picture, message
from analyst.stories import StoryView, read
from analyst.workbench import Workbench
from spot_oa.errors import SpotOaError

_KINDS = {"client": "client ", "query": "name "}
NONE = "No row is scored High yet: score some in Edge_Investigation, then press Refresh."
_SEARCH = "Choose an anchor and press Search first, then run this cell again."
_WIDEST = 120
Anchor = tuple[str, str]


class Findings:
    """The anchors, the result of the last search, and the stories."""

    def __init__(self, day: Workbench, top_results: int, details_limit: int) -> None:
        self.day = day
        self.top_results = top_results
        self.details_limit = details_limit
        self.found: Found | None = None

    def anchors(self) -> list[tuple[str, Anchor]]:
        """Return the display text and value of each anchor that is High or has a story."""
        written = {(each.anchor_kind, each.anchor) for each in self.day.saved_stories()}
        high = self.day.anchors()
        return [
            (_named(each, written, gone=each not in high), each)
            for each in [*high, *sorted(written - set(high))]
        ]

    def story(self, anchor: Anchor) -> Story | None:
        """Return the story of an anchor, if it has one."""
        return next(
            (
                each
                for each in self.day.saved_stories()
                if (each.anchor_kind, each.anchor) == anchor
            ),
            None,
        )

    def view(self, anchor: Anchor) -> StoryView | None:
        """Return the story of an anchor with its published tables, if it has one."""
        story = self.story(anchor)
        return None if story is None else read(self.day, story)

    def search(self, anchor: Anchor) -> str:
        """Search the day's traffic; store the result in `found`."""
        try:
            self.found = search(
                self.day, *anchor, top_results=self.top_results, details_limit=self.details_limit
            )
        except SpotOaError as error:
            self.found = None
            return str(error)
        return self.found.headline

    def save(self, anchor: Anchor, title: str, text: str) -> str:
        """Save the story."""
        try:
            reply = self.day.save_story(*anchor, title, text, top_results=self.top_results)
        except SpotOaError as error:
            return str(error)
        return f"Story saved (action {reply.action.short_id})." if reply.action else "not saved"

    def remove(self, anchor: Anchor) -> str:
        """Remove the story."""
        try:
            self.day.remove_story(*anchor)
        except SpotOaError as error:
            return str(error)
        return "Story removed; it stays in the history."

    def preview(self) -> Picture:
        """Draw the search result."""
        return message(_SEARCH) if self.found is None else preview(self.day, self.found)


def _named(anchor: Anchor, written: set[Anchor], *, gone: bool) -> str:
    kind, value = anchor
    pen = "✎ " if anchor in written else ""
    return (
        f"{pen}{_KINDS.get(kind, '')}{shown(value, _WIDEST)}{' (no longer High)' if gone else ''}"
    )


__all__ = ["DETAILS_LIMIT", "NONE", "TOP_RESULTS", "Anchor", "Findings"]
