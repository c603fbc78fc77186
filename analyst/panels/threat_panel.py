"""Search the traffic of High anchors, and write their stories."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from analyst.actions import LIMITS
from analyst.listing import CSS
from analyst.panels.findings import DETAILS_LIMIT, NONE, TOP_RESULTS, Anchor, Findings
from analyst.panels.skin import say, show, style, words
from analyst.pictures.notebook import Picture
from analyst.pictures.text import t
from analyst.workbench import Workbench

_FIRST = "- Select -"
_STORY = ".soa p.story{overflow-wrap:anywhere;max-width:60em}"


class ThreatPanel(widgets.VBox):  # type: ignore[misc]
    """The widgets of `Findings`: `model` has the search result."""

    def __init__(
        self,
        day: Workbench,
        *,
        top_results: int = TOP_RESULTS,
        details_limit: int = DETAILS_LIMIT,
    ) -> None:
        self.model = Findings(day, top_results, details_limit)
        self._drawing = self._says_none = False
        self.anchors = widgets.Select(options=[(_FIRST, None)], rows=6)
        self.search = widgets.Button(description="Search", button_style="primary", disabled=True)
        self.refresh = widgets.Button(description="Refresh", tooltip="Show what others did")
        self.title = widgets.Text(placeholder=f"Title (at most {LIMITS['title']} characters)")
        self.text = widgets.Textarea(placeholder="What you found, and what to do", rows=5)
        self.save = widgets.Button(description="Save story", disabled=True)
        self.remove = widgets.Button(description="Remove story", disabled=True)
        self.result = widgets.HTML()
        self.message = words()
        for each in (self.anchors, self.title, self.text):
            each.layout.width = "auto"
        story = widgets.VBox(
            [self.title, self.text, widgets.HBox([self.save, self.remove])],
            layout=widgets.Layout(flex="1 1 0"),
        )
        left = widgets.VBox(
            [self.anchors, widgets.HBox([self.search, self.refresh])],
            layout=widgets.Layout(flex="1 1 0"),
        )
        upper = widgets.HBox([left, story])
        upper.add_class("soa-lower")
        super().__init__(
            [style(), upper, self.message, self.result], layout=widgets.Layout(width="100%")
        )
        self.add_class("soa-edge")
        self.anchors.observe(self._chosen, "value")
        self.search.on_click(self._searched)
        self.refresh.on_click(lambda _: day.redraw())
        self.save.on_click(lambda _: self._call(self.model.save, self.title.value, self.text.value))
        self.remove.on_click(lambda _: self._call(self.model.remove))
        day.changed.append(self.redraw)
        self.redraw()

    def redraw(self) -> None:
        """Show the current anchors; keep the choice if it is still among them."""
        offered = self.model.anchors()
        before = self.anchors.value
        self._drawing = True
        try:
            self.anchors.options = [(_FIRST, None), *offered]
            still = before if before in [anchor for _, anchor in offered] else None
            self.anchors.value = still
        finally:
            self._drawing = False
        if not offered:
            say(self.message, NONE)
        elif self._says_none:
            say(self.message, "")
        self._says_none = not offered
        self._enable()

    def preview(self) -> Picture:
        """Draw the search result; before a search, return a message."""
        return self.model.preview()

    def _enable(self) -> None:
        anchor = self.anchors.value
        self.search.disabled = self.save.disabled = anchor is None
        self.remove.disabled = anchor is None or self.model.story(anchor) is None

    def _chosen(self, _: Any) -> None:
        if self._drawing:
            return
        anchor = self.anchors.value
        story = None if anchor is None else self.model.story(anchor)
        self.title.value = story.title if story else ""
        self.text.value = story.text if story else ""
        self._enable()
        self._show_story(anchor)

    def _show_story(self, anchor: Anchor | None) -> None:
        """Show the anchor's story with its published tables; nothing without a story."""
        view = None if anchor is None else self.model.view(anchor)
        if view is None:
            show(self.result, "")
            return
        tables = "".join(f"<section>{each.html()}</section>" for each in view.tables)
        notes = f'<p class="note">{t(view.note)}</p>' if view.note else ""
        drawn = view.picture.svg if view.picture else ""
        by = f"{view.story.action.author}, {view.story.action.recorded_at[:16]}"
        head = f'<h4 class="title">{t(view.story.title)}</h4><p class="note">{t(by)}</p>'
        lines = "<br>".join(map(t, view.story.text.splitlines()))
        text = f'<p class="story">{lines}</p>'
        show(self.result, f"<style>{CSS}{_STORY}</style>{head}{text}{notes}{tables}{drawn}")

    def _searched(self, _: Any) -> None:
        anchor = self.anchors.value
        if anchor is None:
            return
        say(self.message, "searching…")
        say(self.message, self.model.search(anchor))
        found = self.model.found
        listings = found.tables if found else ()
        tables = "".join(f"<section>{each.html()}</section>" for each in listings)
        body = f'<style>{CSS}</style><div class="tables">{tables}</div>'
        show(self.result, body if found else "")

    def _call(self, call: Any, *given: str) -> None:
        anchor = self.anchors.value
        if anchor is not None:
            say(self.message, call(anchor, *given))
            self._chosen(None)
