"""Search what was scored High, and write the story of it."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from analyst.actions import LIMITS
from analyst.listing import CSS
from analyst.panels.findings import DETAILS_LIMIT, NONE, TOP_RESULTS, Findings
from analyst.panels.skin import say, show, style, words
from analyst.pictures.notebook import Picture
from analyst.workbench import Workbench

_FIRST = "- Select -"


class ThreatPanel(widgets.VBox):  # type: ignore[misc]
    """The skin of `Findings`: `model` has what was found."""

    def __init__(
        self,
        day: Workbench,
        *,
        top_results: int = TOP_RESULTS,
        details_limit: int = DETAILS_LIMIT,
    ) -> None:
        self.model = Findings(day, top_results, details_limit)
        self._drawing = False
        self.anchors = widgets.Select(options=[(_FIRST, None)], rows=6)
        self.search = widgets.Button(description="Search", button_style="primary", disabled=True)
        self.refresh = widgets.Button(description="Refresh", tooltip="What others did meanwhile")
        self.title = widgets.Text(placeholder=f"Title (at most {LIMITS['title']} characters)")
        self.text = widgets.Textarea(placeholder="What you found, and what is to be done", rows=5)
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
        self.save.on_click(lambda _: self._told(self.model.save, self.title.value, self.text.value))
        self.remove.on_click(lambda _: self._told(self.model.remove))
        day.changed.append(self.redraw)
        self.redraw()
        if not self.model.anchors():
            say(self.message, NONE)

    def redraw(self) -> None:
        """Show the anchors of this moment; what was chosen stays so if it is still there."""
        offered = self.model.anchors()
        before = self.anchors.value
        self._drawing = True
        try:
            self.anchors.options = [(_FIRST, None), *offered]
            still = before if before in [anchor for _, anchor in offered] else None
            self.anchors.value = still
        finally:
            self._drawing = False
        self._enable()

    def preview(self) -> Picture:
        """What was found, as pictures; a sentence before anything was."""
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

    def _told(self, call: Any, *given: str) -> None:
        anchor = self.anchors.value
        if anchor is not None:
            say(self.message, call(anchor, *given))
            self._chosen(None)
