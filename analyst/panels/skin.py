"""Helpers shared by the panels' widgets: escaped text and styles."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from analyst.pictures.notebook import notebook_style
from analyst.pictures.text import t

_STATIC = Path(__file__).parent / "static"


@cache
def static(name: str) -> str:
    """Return a packaged file that is sent to the browser unchanged."""
    return (_STATIC / name).read_text("utf-8")


def style() -> widgets.HTML:
    """Return the style sheet of panels; it contains no text from traffic."""
    return widgets.HTML(f"<style>{notebook_style()}{static('panels.css')}</style>")


def words(text: str = "", css: str = "said") -> widgets.HTML:
    """Return a widget with a line of text; `say` changes it."""
    line = widgets.HTML()
    say(line, text, css)
    return line


def say(line: widgets.HTML, text: str, css: str = "said") -> None:
    """Show a text, escaped."""
    line.value = f'<div class="soa-panel {css} mathjax_ignore" role="status">{t(text)}</div>'


def show(area: widgets.HTML, body: str) -> None:
    """Show our own HTML, in which all text is escaped."""
    area.value = f'<div class="soa mathjax_ignore">{body}</div>'


def together(*panels: Any) -> widgets.VBox:
    """Return several panels of one day in one box."""
    return widgets.VBox(list(panels), layout=widgets.Layout(width="100%"))
