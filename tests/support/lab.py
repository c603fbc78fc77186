"""A real JupyterLab on a home, as `spot-oa notebook` starts it."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Error, Page, expect

from analyst.notebooks.server import command, environment
from spot_oa.dates import Slice
from spot_oa.settings import Settings
from tests.support.ports import free_port

TOKEN = "of-the-test"
READY = 60_000
"""Time limit of a kernel on a busy machine, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Lab:
    """The address and the output of the server."""

    port: int
    log: Path

    def url(self, part: Slice, name: str = "Edge_Investigation") -> str:
        """Open a notebook in a separate workspace."""
        path = f"{part.pipeline}/{part.compact}/{name}.ipynb"
        return f"{self.origin}/lab/tree/{path}?token={TOKEN}&reset"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def jupyterlab(settings: Settings, part: Slice, folder: Path) -> Iterator[Lab]:
    """Run JupyterLab with separate folders for settings and state."""
    lab = Lab(free_port(), folder / "jupyter.log")
    own = {
        f"JUPYTER_{name}": str(folder / name.lower())
        for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    } | {"IPYTHONDIR": str(folder / "ipython"), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
         "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces")}  # fmt: skip
    called = [
        *command(settings, part, port=lab.port, browser=False),
        f"--IdentityProvider.token={TOKEN}",
        "--ServerApp.port_retries=0",
    ]
    with (
        lab.log.open("wb") as log,
        subprocess.Popen(
            called,
            cwd=settings.notebooks_dir,
            env=environment(settings) | own | {"HOME": os.environ.get("HOME", str(folder))},
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as server,
    ):
        try:
            _wait(lab, server)
            yield lab
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


def _wait(lab: Lab, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{lab.origin}/api?token={TOKEN}", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(lab.log.read_text("utf-8", "replace")[-3000:])


WATCH = """
() => {
  const busy = () => [...document.querySelectorAll(".jp-Notebook .jp-InputPrompt")]
    .some((prompt) => prompt.textContent.includes("[*]"));
  window.started = false;
  new MutationObserver(() => { window.started ||= busy(); })
    .observe(document.body, { subtree: true, childList: true, characterData: true });
}
"""


def run_all(page: Page) -> None:
    """Run all cells, and wait until the kernel is finished."""
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=READY)
    page.evaluate(WATCH)
    for patience in (10_000, READY):
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        try:
            page.wait_for_function("window.started", timeout=patience)
            break
        except Error:
            # Lab ignores the command while it still attaches the notebook to its kernel.
            if patience == READY:
                raise
    expect(page.locator(".jp-Notebook .jp-InputPrompt", has_text="[*]")).to_have_count(
        0, timeout=READY
    )


def theme(page: Page, shown: str) -> None:
    """Switch Lab to the light or dark theme."""
    name = f"JupyterLab {shown.title()}"
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).first.hover()
    page.get_by_text(name, exact=True).click()
    light = str(shown == "light").lower()
    page.locator(f"body[data-jp-theme-light={light}]").wait_for(state="attached", timeout=READY)
