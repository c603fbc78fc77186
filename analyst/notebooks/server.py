"""JupyterLab on the notebooks of a day: for this machine only, and it asks no other host."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from analyst.notebooks.places import folder_of
from spot_oa.dates import Slice
from spot_oa.settings import Settings, handed_on

_DEFAULTS = Path(__file__).parent / "jupyter"
"""Its user's own settings count before these."""
_GRACE = 10
"""Seconds for its kernels to end."""
FIRST = "Edge_Investigation.ipynb"
"""The notebook that is opened, if the day has it."""


def command(settings: Settings, part: Slice, *, port: int, browser: bool) -> list[str]:
    """How JupyterLab is called; its settings are ours for this call, the user's otherwise."""
    folder = folder_of(settings, part)
    page = f"/lab/tree/{part.pipeline}/{part.compact}"
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": str(port),
        "ServerApp.root_dir": str(settings.notebooks_dir),
        "ServerApp.open_browser": str(browser),
        # Little but the address.
        "Application.log_level": "ERROR",
        # Ctrl-C ends it, without a question.
        "ServerApp.answer_yes": "True",
        "LabApp.default_url": f"{page}/{FIRST}" if (folder / FIRST).exists() else page,
        # No news, no look for newer versions, no list of extensions: nothing leaves the machine.
        "LabApp.news_url": "None",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
    }
    if os.geteuid() == 0:
        # In a container everybody is root; it listens to this machine only.
        options["ServerApp.allow_root"] = "True"
    given = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "jupyterlab", *given]


def environment(settings: Settings) -> dict[str, str]:
    """What its kernels read the same settings by as we do, and what its own defaults are."""
    given = handed_on(settings)
    paths = [str(_DEFAULTS), *filter(None, [given.get("JUPYTER_CONFIG_PATH")])]
    return given | {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


def serve(settings: Settings, called: Sequence[str]) -> int:
    """Run it until somebody ends it."""
    with subprocess.Popen(  # noqa: S603 - `command` made it
        called, cwd=settings.notebooks_dir, env=environment(settings)
    ) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            # The terminal has asked it too: it ends its kernels, and then itself.
            try:
                server.wait(_GRACE)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                server.terminate()
            return 0
