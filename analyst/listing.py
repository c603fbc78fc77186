"""Tables for display: escaped text, one page at a time, with the full frame attached."""

from __future__ import annotations

import pandas as pd

from analyst.pictures.notebook import in_output
from analyst.pictures.svg import records
from analyst.pictures.text import NONE, WHOLE, cut, t
from spot_oa.errors import UsageError, printable

PAGE = 100
_CELL = 60
_SHORT = 40
CSS = (
    ".soa table.rows{border-collapse:collapse;font:12px system-ui,sans-serif;color:var(--ink)}"
    ".soa table.rows th,.soa table.rows td{padding:3px 10px;text-align:left;max-width:34em;"
    "overflow-wrap:anywhere;border:0;border-bottom:1px solid var(--lead);background:none}"
    ".soa table.rows th{color:var(--dim);font-weight:600;white-space:nowrap}"
    ".soa table.rows .n{text-align:right;font-variant-numeric:tabular-nums}"
    ".soa .scroll{max-height:420px;overflow:auto}"
    ".soa .scroll th{position:sticky;top:0;background:var(--jp-layout-color1,var(--card))}"
    ".soa table.rows td.n,.soa table.rows td.w{white-space:nowrap}"
    ".soa p.note{margin:.4em 0;color:var(--dim);font:12px system-ui,sans-serif}"
    ".soa h4.title{margin:.8em 0 .2em;color:var(--ink);font:600 13px system-ui,sans-serif}"
)


class Listing:
    """A table as a notebook shows it; `frame` has all rows, for pandas."""

    def __init__(
        self,
        frame: pd.DataFrame,
        title: str = "",
        note: str = "",
        *,
        page: int = 1,
        size: int = PAGE,
    ) -> None:
        if page < 1 or size < 1:
            raise UsageError(f"page {page} of {size} rows: both must be 1 or more")
        self.frame = frame
        self.title = title
        first = (page - 1) * size
        self._shown = frame.iloc[first : first + size]
        of = f"rows {first + 1:,} to {first + len(self._shown):,} of {len(frame):,}"
        paged = of if len(self._shown) < len(frame) else ""
        self.note = "; ".join(part for part in (note, paged) if part)

    def html(self) -> str:
        """Return the table without the wrapper of a notebook output."""
        names = [str(name) for name in self._shown.columns]
        rows = records(self._shown, dict.fromkeys(names))
        numeric = [
            bool(rows) and all(row[at] is None or _is_number(row[at]) for row in rows)
            for at in range(len(names))
        ]
        css = [' class="n"' if each else "" for each in numeric]
        head = "".join(f"<th{c}>{t(name)}" for c, name in zip(css, names, strict=True))
        body = "".join(
            "<tr>" + "".join(_cell(value, c) for c, value in zip(css, row, strict=True))
            for row in rows
        )
        title = f'<h4 class="title">{t(self.title)}</h4>' if self.title else ""
        note = f'<p class="note">{t(self.note)}</p>' if self.note else ""
        table = f'<table class="rows"><thead><tr>{head}</thead><tbody>{body}</tbody></table>'
        return title + note + (f'<div class="scroll">{table}</div>' if names else "")

    def as_html(self) -> str:
        """Return the table as the output of a cell."""
        return in_output(self.html(), CSS)

    def __repr__(self) -> str:
        names = [str(name) for name in self._shown.columns]
        rows = [[printable(cut(v, _CELL)) if v is not None else NONE for v in row]
                for row in records(self._shown, dict.fromkeys(names))]  # fmt: skip
        text = pd.DataFrame(rows, columns=names).to_string(index=False) if names else ""
        return "\n".join(part for part in (self.title, self.note, text) if part)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/html": self.as_html(), "text/plain": repr(self)}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value: object, css: str) -> str:
    if value is None:
        return f"<td{css}>{NONE}"
    shown = printable(value)
    title = f' title="{t(cut(shown, WHOLE))}"' if len(shown) > _CELL else ""
    css = css or (' class="w"' if len(shown) <= _SHORT else "")
    return f"<td{css}{title}>{t(cut(shown, _CELL))}"
