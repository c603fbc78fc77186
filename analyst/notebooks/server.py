"""Starts JupyterLab on the notebooks of a day: local access only, no requests to other hosts."""

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
"""Default settings of JupyterLab; the user's own settings override them."""
_GRACE = 10
"""Seconds to wait for the kernels to end."""
FIRST = "Edge_Investigation.ipynb"
"""The notebook that is opened, if the day has it."""


def command(settings: Settings, part: Slice, *, port: int, browser: bool) -> list[str]:
    """Return the command line of JupyterLab; its options override the user's settings."""
    folder = folder_of(settings, part)
    page = f"/lab/tree/{part.pipeline}/{part.compact}"
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": str(port),
        "ServerApp.root_dir": str(settings.notebooks_dir),
        "ServerApp.open_browser": str(browser),
        # Print little more than the address.
        "Application.log_level": "ERROR",
        # Ctrl-C ends it without asking.
        "ServerApp.answer_yes": "True",
        "LabApp.default_url": f"{page}/{FIRST}" if (folder / FIRST).exists() else page,
        # No news, no check for updates, no list of extensions: no request leaves the machine.
        "LabApp.news_url": "None",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
    }
    if os.geteuid() == 0:
        # In a container the user is usually root; the server listens locally only.
        options["ServerApp.allow_root"] = "True"
    given = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "jupyterlab", *given]


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment that gives the kernels our settings, and JupyterLab our defaults."""
    given = handed_on(settings)
    paths = [str(_DEFAULTS), *filter(None, [given.get("JUPYTER_CONFIG_PATH")])]
    return given | {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


def serve(settings: Settings, called: Sequence[str]) -> int:
    """Run JupyterLab until it is stopped."""
    with subprocess.Popen(  # noqa: S603 - `command` made it
        called, cwd=settings.notebooks_dir, env=environment(settings)
    ) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            # The server received Ctrl-C too: it ends its kernels, and then itself.
            try:
                server.wait(_GRACE)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                server.terminate()
            return 0
