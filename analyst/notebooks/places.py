"""Where the notebooks of a day are, and what stands in them: no reader of notebooks is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spot_oa.dates import Slice
from spot_oa.settings import Settings


def folder_of(settings: Settings, part: Slice) -> Path:
    """Where the notebooks of a day are."""
    return settings.notebooks_dir / part.pipeline / part.compact


def home_of(folder: Path) -> Path | None:
    """The home that a folder's notebooks were rendered for; None if none of them says."""
    for path in sorted(folder.glob("*.ipynb")):
        home = about(read(path)).get("home")
        if isinstance(home, str):
            return Path(home)
    return None


def newer(folder: Path) -> Sequence[str]:
    """The names of newer templates that were put beside copies."""
    return sorted(path.name for path in folder.glob("*-v[0-9]*.ipynb"))


def read(path: Path) -> Mapping[str, Any] | None:
    """A notebook as JSON; None if it is none."""
    try:
        notebook = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return notebook if isinstance(notebook, dict) else None


def about(notebook: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What the notebook says of its template and day; empty if nothing."""
    metadata = notebook.get("metadata") if notebook else None
    said = metadata.get("spot_oa") if isinstance(metadata, dict) else None
    return said if isinstance(said, dict) else {}
