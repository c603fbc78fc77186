"""Pictures in notebooks: they follow JupyterLab's theme, and MathJax ignores them."""

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
    """Return the style sheet of pictures, which follows JupyterLab's theme, not the browser's."""
    return _BY_BROWSER.sub(r"[data-jp-theme-light=false] \1\2", style())


def in_output(body: str, css: str = "") -> str:
    """Return our own HTML as the output of a cell."""
    # JupyterLab's MathJax respects only this class; a name may contain `$`.
    return f'<div class="soa mathjax_ignore"><style>{notebook_style()}{css}</style>{body}</div>'


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, or several below each other."""

    svg: str

    @property
    def alt(self) -> str:
        """The picture's description as text."""
        found = _LABEL.search(self.svg)
        return found[1] if found else ""

    def save(self, path: str | Path) -> Path:
        """Write the picture as a standalone SVG file.

        Args:
            path: The file; replaced if it exists.
        """
        target = Path(path)
        inside = self.svg.replace(">", f"><style>{style()}</style>", 1)
        target.write_text(inside + "\n", "utf-8")
        return target

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/html": in_output(self.svg), "text/plain": self.alt}


def message(text: str) -> Picture:
    """Return a message in place of a picture."""
    return Picture(f"<p>{t(text)}</p>")
