"""The rows of a day as a table that is worked with keys."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from analyst.panels.rows import Rows
from analyst.panels.skin import static
from analyst.pictures.notebook import notebook_style
from analyst.workbench import Workbench


class TriageTable(anywidget.AnyWidget):
    """The skin of `Rows`: `model_of_rows` does what is asked; the page asks by messages."""

    _esm = static("triage_table.js")
    _css = notebook_style() + static("panels.css")
    table: Any = traitlets.Dict().tag(sync=True)
    marks: Any = traitlets.List().tag(sync=True)
    # What belongs together is one trait: the page never shows half of two rows.
    detail: Any = traitlets.Dict().tag(sync=True)
    said: Any = traitlets.Dict().tag(sync=True)

    def __init__(self, day: Workbench) -> None:
        self.rows = Rows(day)
        self._run_id = day.published.run_id
        super().__init__(
            table=self.rows.table(), marks=self.rows.marks(), detail=self.rows.behind(0)
        )
        self.on_msg(self._asked)
        day.changed.append(self.redraw)

    def redraw(self) -> None:
        """Show what holds at this moment."""
        run_id = self.rows.day.published.run_id
        if run_id != self._run_id:
            self._run_id = run_id
            self.table = self.rows.table()
        self.marks = self.rows.marks()

    def ask(self, message: dict[str, Any]) -> None:
        """Do what the page asks: `look` at a row, `score` rows, or `undo`."""
        match message:
            case {"do": "look", "at": int(place)}:
                self.detail = self.rows.behind(place)
            case {"do": "score", "at": [*places], "severity": severity}:
                like = message.get("like")
                whole = [place for place in places if isinstance(place, int)]
                self._say(self.rows.score(whole, severity, None if like is None else str(like)))
                self.detail = self.rows.behind(whole[0]) if whole else self.detail
            case {"do": "undo"}:
                self._say(self.rows.undo())
            case _:
                self._say("the page asked for something unknown: reload it")

    def _say(self, text: str) -> None:
        self.said = {"text": text, "number": int(self.said.get("number", 0)) + 1}

    def _asked(self, _: Any, content: Any, buffers: Any) -> None:  # noqa: ARG002 - ipywidgets' call
        if isinstance(content, dict):
            self.ask(content)
