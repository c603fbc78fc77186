"""Settings of labels, triage, notebooks and feedback."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Literal

from pydantic import Field

from spot_oa.settings.sources import Stage, WordList


class AnalystSettings(Stage):
    """Labels: the analysts' store, the triage folders, feedback to the scorer."""

    analyst_db: Path = Path()
    """The store of analysts' actions, a local append-only file (`$HOME/analyst.sqlite`)."""
    analyst_journal: Literal["wal", "delete"] = "wal"
    """SQLite's journal mode; `delete` if the store has to be on a network file system."""
    triage_dir: Path = Path()
    """The folder of analysts' labels and stories by published day (`$HOME/triage`)."""
    rules_dir: Path = Path()
    """The folder of standing rules, one `<pipeline>.yml` per pipeline (`$HOME/context/rules`; below
    the context)."""
    notebooks_dir: Path = Path()
    """The folder of each day's notebooks, `<pipeline>/<YYYYMMDD>/` (`$HOME/ipynb`)."""
    templates_dir: Path | None = None
    """A folder of notebook templates, `<pipeline>/<Name>_master.py` or `.ipynb`, in addition to the
    built-in ones; one of the same name replaces the built-in one."""
    author: str = Field(default="", max_length=64)
    """Author of the recorded actions; the operating system's user if empty."""
    feedback_uri: str = ""
    """Where the scorer reads feedback, an fsspec URL: spot-ml's folder above the pipelines'."""
    feedback_pipelines: WordList = ("proxy", "dns")
    """Pipelines whose feedback is written for the scorer."""
    feedback_days: int = Field(default=7, ge=0)
    """Number of earlier days whose rows are written with those of the day."""
    feedback_rows: int = Field(default=5000, ge=1)
    """Maximum number of rows written at a time."""

    @property
    def who(self) -> str:
        """Return the author of actions."""
        if self.author.strip():
            return self.author.strip()
        try:
            return getpass.getuser()
        except (OSError, KeyError):
            return ""
