"""Dbt as a person runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from flows.run.dbt_runner import dbt_arguments, environment
from spot_oa.settings import Settings


def dbt(settings: Settings, *command: str) -> tuple[int, str]:
    """Run dbt in a process of its own; its exit code and what it printed."""
    arguments = [part for part in dbt_arguments(settings, command) if part != "none"]
    arguments.remove("--log-level")
    script = Path(sys.executable).with_name("dbt")
    with environment(settings):
        done = subprocess.run(
            [script, *arguments], check=False, capture_output=True, text=True, timeout=300
        )
    return done.returncode, done.stdout + done.stderr
