"""What the widgets of panels have in common: words that are inert, and how they look."""

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
    """A file that goes to the browser as it is."""
    return (_STATIC / name).read_text("utf-8")


def style() -> widgets.HTML:
    """The style sheet of panels; nothing of it is traffic's."""
    return widgets.HTML(f"<style>{notebook_style()}{static('panels.css')}</style>")


def words(text: str = "", css: str = "said") -> widgets.HTML:
    """A line of text; `say` changes it."""
    line = widgets.HTML()
    say(line, text, css)
    return line


def say(line: widgets.HTML, text: str, css: str = "said") -> None:
    """Show a text, whatever is in it."""
    line.value = f'<div class="soa-panel {css} mathjax_ignore" role="status">{t(text)}</div>'


def show(area: widgets.HTML, body: str) -> None:
    """Show HTML of ours in which all text is inert."""
    area.value = f'<div class="soa mathjax_ignore">{body}</div>'


def together(*panels: Any) -> widgets.VBox:
    """Several panels of one day in one box."""
    return widgets.VBox(list(panels), layout=widgets.Layout(width="100%"))
