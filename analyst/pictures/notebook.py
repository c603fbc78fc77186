"""A picture as a notebook shows it: light or dark as JupyterLab is, and left alone by MathJax."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from analyst.pictures.svg import style
from analyst.pictures.text import t

_BY_BROWSER = re.compile(r"@media\(prefers-color-scheme:dark\)\{(\.soa)(\{[^}]*\})\}")
_LABEL = re.compile(r'aria-label="([^"]*)"')


@cache
def notebook_style() -> str:
    """The style sheet of pictures; dark where JupyterLab is, whatever the browser is."""
    return _BY_BROWSER.sub(r"[data-jp-theme-light=false] \1\2", style())


def in_output(body: str, css: str = "") -> str:
    """HTML of ours for the output of a cell."""
    # Lab's MathJax knows this class only; a name may hold `$`.
    return f'<div class="soa mathjax_ignore"><style>{notebook_style()}{css}</style>{body}</div>'


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, or several below each other."""

    svg: str

    @property
    def alt(self) -> str:
        """What it shows, in words."""
        found = _LABEL.search(self.svg)
        return found[1] if found else ""

    def save(self, path: str | Path) -> Path:
        """Write it as an SVG file of its own.

        Args:
            path: Where; replaced if it is there.
        """
        target = Path(path)
        inside = self.svg.replace(">", f"><style>{style()}</style>", 1)
        target.write_text(inside + "\n", "utf-8")
        return target

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/html": in_output(self.svg), "text/plain": self.alt}


def message(text: str) -> Picture:
    """A sentence in the place of a picture."""
    return Picture(f"<p>{t(text)}</p>")
