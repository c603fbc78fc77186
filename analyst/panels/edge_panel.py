"""The lists of a day's open rows: choose values, preview the matching rows, score, undo, save."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from analyst.actions import Severity
from analyst.listing import CSS
from analyst.panels.scoring import Column, Scoring, shown
from analyst.panels.skin import say, show, style, words
from analyst.pictures.text import number
from analyst.workbench import COFF, Workbench

_WIDEST = 120
_NONE = "- Select -"
_LEVELS = [Severity.HIGH, Severity.MEDIUM, Severity.LOW]


class EdgePanel(widgets.VBox):  # type: ignore[misc]
    """The widgets of `Scoring`: `model` holds the current choices."""

    def __init__(self, day: Workbench, coff: int = COFF) -> None:
        self.model = Scoring(day, coff)
        self._drawing = False
        self.lists = {each.name: _List(each) for each in self.model.columns}
        self.quick = widgets.Text(placeholder=self.model.quick_title, continuous_update=True)
        self.severity = widgets.ToggleButtons(
            options=[(each.title, each) for each in _LEVELS], value=None
        )
        self.note = widgets.Textarea(placeholder="Note: why (optional)", rows=2)
        self.only_open = widgets.Checkbox(description="skip scored rows", indent=False)
        self.each = widgets.Checkbox(description="score each choice separately")
        self.each.indent = False
        self.score = widgets.Button(description="Score", button_style="primary", disabled=True)
        self.undo = widgets.Button(description="Undo last")
        self.save = widgets.Button(
            description="Save", tooltip="Write the feedback and update the tables"
        )
        self.refresh = widgets.Button(description="Refresh", tooltip="Show what others did")
        self.aside = widgets.Button(tooltip="Rows that a suppression keeps out of the lists")
        self.suppressed = widgets.HTML()
        self._shows_suppressed = False
        self.preview = words()
        self.message = words()
        super().__init__(self._laid_out(), layout=widgets.Layout(width="100%"))
        self.add_class("soa-edge")
        self._listen()
        day.changed.append(self.redraw)
        self.redraw()

    def redraw(self) -> None:
        """Show the currently open values and the choices."""
        model = self.model
        self._drawing = True
        try:
            for name, each in self.lists.items():
                model.choices[name] = each.draw(
                    model, enabled=not model.quick.strip(), chosen=model.choices[name]
                )
            self.quick.value = model.quick
            self.severity.value = model.severity
            self.note.value = model.note
            self.only_open.value = model.only_open
            self.each.value = model.each
        finally:
            self._drawing = False
        self._preview()
        self._set_aside()

    def _set_aside(self) -> None:
        """Count the suppressed rows; show them if requested."""
        listing = self.model.day.suppressed()
        count, shows = len(listing.frame), self._shows_suppressed
        self.aside.description = f"{number(count)} suppressed ({'hide' if shows else 'show'})"
        self.aside.layout.display = "" if count else "none"
        body = f"<style>{CSS}</style>{listing.html()}" if count and shows else ""
        show(self.suppressed, body)

    def _toggled(self, _: Any) -> None:
        self._shows_suppressed = not self._shows_suppressed
        self._set_aside()

    def _preview(self) -> None:
        ready, text = self.model.preview()
        self.score.disabled = not ready
        say(self.preview, text, "preview")

    def _laid_out(self) -> list[widgets.Widget]:
        lists = widgets.HBox([each.box for each in self.lists.values()])
        lists.add_class("soa-lists")
        for box in (self.quick, self.severity, self.note):
            box.layout.width = "auto"
        boxes = [self.quick] if self.model.quick_kind else []
        left = widgets.VBox([*boxes, self.note], layout=widgets.Layout(flex="1 1 0"))
        ticks = [self.only_open, *([self.each] if self.model.has_each else [])]
        right = widgets.VBox(
            [
                self.severity,
                widgets.HBox(ticks),
                widgets.HBox([self.score, self.undo, self.save, self.refresh]),
            ],
            layout=widgets.Layout(flex="0 0 auto"),
        )
        lower = widgets.HBox([left, right])
        lower.add_class("soa-lower")
        return [style(), lists, lower, self.preview, self.message, self.aside, self.suppressed]

    def _listen(self) -> None:
        for name, each in self.lists.items():
            each.find.observe(self._heard(self.model.finds, name, redraw=True), "value")
            each.select.observe(self._heard(self.model.choices, name), "value")
        for field in ("quick", "severity", "note", "only_open", "each"):
            getattr(self, field).observe(self._heard(vars(self.model), field), "value")
        for button, call in (
            (self.score, self.model.score),
            (self.undo, self.model.undo),
            (self.save, self.model.save),
        ):
            button.on_click(self._asked(button, call))
        self.refresh.on_click(lambda _: self.model.day.redraw())
        self.aside.on_click(self._toggled)

    def _heard(self, where: dict[str, Any], name: str, *, redraw: bool = False) -> Any:
        followed = any(each.follows == name for each in self.model.columns)

        def take(change: Any) -> None:
            if self._drawing:
                return
            where[name] = change["new"]
            if redraw or followed or name == "quick":
                self.redraw()
            else:
                self._preview()

        return take

    def _asked(self, button: widgets.Button, call: Any) -> Any:
        def do(_: Any) -> None:
            # A double click counts once.
            button.disabled = True
            say(self.message, "…")
            try:
                say(self.message, call())
            finally:
                button.disabled = False
            self.redraw()

        return do


class _List:
    """A list, its filter, and its number of shown values."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.count = words(css="count")
        self.find = widgets.Text(placeholder="filter", continuous_update=True)
        self.select = widgets.Select(options=[(_NONE, None)], rows=7)
        for part in (self.find, self.select):
            part.layout.width = "auto"
        self.box = widgets.VBox([self.count, self.find, self.select])

    def draw(self, model: Scoring, *, enabled: bool, chosen: object) -> object:
        """Show the open values; keep the choice if its value is still there."""
        values = model.values(self.column)
        options = [(_NONE, None), *((shown(each, _WIDEST), each) for each in values.values)]
        if list(self.select.options) != options:
            self.select.options = options
        still = chosen if chosen in values.values else None
        self.select.value = still
        self.select.tooltip = "" if still is None else shown(still, 2000)
        waits = self.column.follows is not None and model.choices[self.column.follows] is None
        self.select.disabled = self.find.disabled = waits or not enabled
        self.find.value = model.finds[self.column.name]
        count = f"{len(values.values):,} of {number(values.total)}"
        say(self.count, f"{self.column.title}: {'choose first' if waits else count}", "count")
        return still
