"""Settings of what analysts do to published days."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Literal

from pydantic import Field

from spot_oa.settings.sources import Stage, WordList


class AnalystSettings(Stage):
    """Labels: the analysts' store, the triage folders, feedback to the scorer."""

    analyst_db: Path = Path()
    """The store of what analysts did, a local file that only grows (`$HOME/analyst.sqlite`)."""
    analyst_journal: Literal["wal", "delete"] = "wal"
    """SQLite's journal; `delete` where the store has to be on a network file system."""
    triage_dir: Path = Path()
    """What analysts made of the published days (`$HOME/triage`)."""
    rules_dir: Path = Path()
    """Standing rules, a `<pipeline>.yml` each (`$HOME/context/rules`; below the context)."""
    notebooks_dir: Path = Path()
    """The notebooks of each day, `<pipeline>/<YYYYMMDD>/` (`$HOME/ipynb`)."""
    templates_dir: Path | None = None
    """A folder of notebook templates, `<pipeline>/<Name>_master.py` or `.ipynb`, that replace or
    join the built-in ones of the same name."""
    author: str = Field(default="", max_length=64)
    """Whose actions these are; the user of the operating system if empty."""
    feedback_uri: str = ""
    """Where the scorer reads feedback, as an fsspec URL: spot-ml's folder above the pipelines'."""
    feedback_pipelines: WordList = ("proxy", "dns")
    """Pipelines whose feedback goes to the scorer."""
    feedback_days: int = Field(default=7, ge=0)
    """Rows of so many earlier days go to the scorer with those of the day."""
    feedback_rows: int = Field(default=5000, ge=1)
    """The most rows that go to the scorer at a time."""

    @property
    def who(self) -> str:
        """Whose actions these are."""
        if self.author.strip():
            return self.author.strip()
        try:
            return getpass.getuser()
        except (OSError, KeyError):
            return ""
