"""Finds and reads the notebooks of a day as JSON, without loading jupytext or nbformat."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spot_oa.dates import Slice
from spot_oa.settings import Settings


def folder_of(settings: Settings, part: Slice) -> Path:
    """Return the folder of the notebooks of a day."""
    return settings.notebooks_dir / part.pipeline / part.compact


def home_of(folder: Path) -> Path | None:
    """Return the home for which a folder's notebooks were rendered; None if unknown."""
    for path in sorted(folder.glob("*.ipynb")):
        home = about(read(path)).get("home")
        if isinstance(home, str):
            return Path(home)
    return None


def newer(folder: Path) -> Sequence[str]:
    """Return the names of newer templates that were written next to copies."""
    return sorted(path.name for path in folder.glob("*-v[0-9]*.ipynb"))


def read(path: Path) -> Mapping[str, Any] | None:
    """Read a notebook as JSON; return None if the file is not a notebook."""
    try:
        notebook = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return notebook if isinstance(notebook, dict) else None


def about(notebook: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the notebook's metadata about its template and day; empty if missing."""
    metadata = notebook.get("metadata") if notebook else None
    ours = metadata.get("spot_oa") if isinstance(metadata, dict) else None
    return ours if isinstance(ours, dict) else {}
