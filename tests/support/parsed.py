"""dbt's stored parse of the project, made once for all tests: a new parse takes seconds."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock

from flows.run.dbt_runner import parse
from spot_oa.settings import load_settings

VARIABLE = "DBT_PARTIAL_PARSE_FILE_PATH"
"""Dbt reads it: the file that it looks into before it parses."""


def share_the_parse(folder: Path) -> None:
    """Make every dbt of this process and its children start from a stored parse.

    Dbt compares the project with it file by file, and parses what differs, of a copy too.

    Args:
        folder: One for all processes of a test session.
    """
    if os.environ.get(VARIABLE):
        return  # A session within one.
    home = folder / "parsed"
    with FileLock(folder / "parsed.lock"):
        if not home.is_dir():
            parse(load_settings(home=home))
    os.environ[VARIABLE] = str(home / "dbt" / "target" / "partial_parse.msgpack")
