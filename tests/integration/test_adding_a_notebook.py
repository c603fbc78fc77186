"""docs/adding-a-notebook.md, performed: its template, its commands, its notebook."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from spot_oa.settings import load_settings
from tests.support.labelled import publish
from tests.support.project import PROJECT

PAGE = (PROJECT / "docs" / "adding-a-notebook.md").read_text("utf-8")
SCRIPT = Path(sys.executable).with_name("spot-oa")


def test_the_page_makes_a_notebook_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(home=tmp_path / "home")
    publish(settings, "flow", [{"ibyt": 100 * n} for n in range(200)])
    (name,) = re.findall(r"Write `(templates/flow/\w+\.py)`", PAGE)
    (template,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (console,) = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_text(template, "utf-8")
    # The last one opens a browser.
    typed = [line.removeprefix("$ ") for line in console.splitlines()][:-1]
    path = f"{SCRIPT.parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-ec", "\n".join(typed)],
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "SPOT_OA_HOME": str(settings.home)},
    )
    folder = settings.home / "ipynb/flow/20160708"
    assert len(list(folder.iterdir())) == 4
    notebook = nbformat.read(folder / "Large_Transfers.ipynb", as_version=4)
    assert notebook.cells[0].source == "# Large transfers: flow, 2016-07-08"
    resources = {"metadata": {"path": folder}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output.output_type for output in shown] == ["execute_result"] * 2
    # A head, and the largest two of two hundred.
    assert shown[0].data["text/html"].count("<tr") == 1 + 2
    assert not settings.analyst_db.exists()
