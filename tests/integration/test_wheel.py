"""Installed as people install things: a wheel, in an environment of its own, from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import duckdb
import pytest

from tests.support.parsed import VARIABLE
from tests.support.project import PROJECT


def _run(*command: str | Path, folder: Path, **settings: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        # Nor with what this checkout's parse left.
        env={name: value for name, value in os.environ.items() if name != VARIABLE} | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has the wheel, and this one's libraries."""
    folder = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    offline = ("--quiet", "--no-deps", "--no-index")
    _run(*pip, "wheel", *offline, "--no-build-isolation", "-w", folder, PROJECT, folder=folder)
    home = folder / "environment"
    venv.create(home)
    python = home / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    # A folder that a .pth file names brings its packages, but not its own .pth files: the
    # editable install of this checkout stays out.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    (wheel,) = folder.glob("*.whl")
    _run(*pip, "--python", python, "install", *offline, wheel, folder=folder)
    where = _run(python, "-c", "import spot_oa; print(spot_oa.__file__)", folder=folder)
    assert Path(where.strip()).is_relative_to(packages)
    return home / "bin"


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def test_the_demo_runs_from_another_folder_and_writes_below_home_only(
    installed: Path, tmp_path: Path
) -> None:
    elsewhere, home = tmp_path / "elsewhere", tmp_path / "home"
    elsewhere.mkdir()
    before = _files(installed.parent)

    _run(installed / "spot-oa", "demo", "--rows", "300", folder=elsewhere, SPOT_OA_HOME=str(home))

    published = home / "data/flow/20160708/flow_scores.parquet"
    assert duckdb.sql(f"select count(*) from '{published}'").fetchall() != [(0,)]
    notebooks = home / "ipynb/dns/20160709"
    assert len(list(notebooks.glob("*.ipynb"))) == 3
    assert not list(elsewhere.iterdir())
    assert _files(installed.parent) == before
    for command in (
        "score flow --date 2016-07-09 --limit 20",
        "label flow --date 2016-07-09 --severity high --ranks 0",
        "report --date 2016-07-09",
    ):
        _run(installed / "spot-oa", *command.split(), folder=elsewhere, SPOT_OA_HOME=str(home))
    (results,) = home.glob("ml/flow/scored_results/20160709/scores/flow_results.csv")
    assert len(results.read_text("utf-8").splitlines()) == 20
    assert "High" in (home / "data/reports/20160709.html").read_text("utf-8")
    assert not list(elsewhere.iterdir())
    assert _files(installed.parent) == before
    found = _run(installed / "spot-oa", "doctor", folder=elsewhere, SPOT_OA_HOME=str(home))
    assert f"dbt project {installed.parent}" in found
