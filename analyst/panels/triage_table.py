"""The rows of a day as a table with keyboard commands."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from analyst.panels.rows import Rows
from analyst.panels.skin import static
from analyst.pictures.notebook import notebook_style
from analyst.workbench import Workbench


class TriageTable(anywidget.AnyWidget):
    """The widget of `Rows`, which carries out the requests that the page sends as messages."""

    _esm = static("triage_table.js")
    _css = notebook_style() + static("panels.css")
    table: Any = traitlets.Dict().tag(sync=True)
    marks: Any = traitlets.List().tag(sync=True)
    # One trait for all details, so that the page never mixes two rows.
    detail: Any = traitlets.Dict().tag(sync=True)
    said: Any = traitlets.Dict().tag(sync=True)

    def __init__(self, day: Workbench) -> None:
        self.rows = Rows(day)
        super().__init__(
            table=self.rows.table(), marks=self.rows.marks(), detail=self.rows.behind(0)
        )
        self.on_msg(self._asked)
        day.changed.append(self.redraw)

    def redraw(self) -> None:
        """Show the current labels, and the rows of the current run."""
        if self.table["run"] != self.rows.day.published.run_id:
            self.table = self.rows.table()
            self.detail = self.rows.behind(self.detail["at"])
        self.marks = self.rows.marks()

    def ask(self, message: dict[str, Any]) -> None:
        """Carry out a request of the page: `look` at a row, `score` rows, or `undo`."""
        match message:
            case {"do": "look", "at": int(place)}:
                self.detail = self.rows.behind(place)
            case {"do": "score", "at": [*places], "severity": severity}:
                like = message.get("like")
                whole = [place for place in places if isinstance(place, int)]
                run = message.get("run")
                like = None if like is None else str(like)
                self._say(self.rows.score(whole, severity, run=run, like=like))
                self.detail = self.rows.behind(whole[0]) if whole else self.detail
            case {"do": "undo"}:
                self._say(self.rows.undo())
            case _:
                self._say("the page sent an unknown request: reload it")

    def _say(self, text: str) -> None:
        self.said = {"text": text, "number": int(self.said.get("number", 0)) + 1}

    def _asked(self, _: Any, content: Any, buffers: Any) -> None:  # noqa: ARG002 - ipywidgets' call
        if isinstance(content, dict):
            self.ask(content)
