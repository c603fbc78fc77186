"""`spot-oa notebooks` and `spot-oa notebook`, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from spot_oa.settings import load_settings
from tests.support.labelled import publish

SCRIPT = Path(sys.executable).with_name("spot-oa")
DAY = ("--date", "2016-07-08")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    settings = load_settings(home=tmp_path / "home")
    publish(settings, "flow", [{}])
    return settings.home


def environment(home: Path) -> dict[str, str]:
    own = {f"JUPYTER_{name}_DIR": str(home / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    return os.environ | own | {"SPOT_OA_HOME": str(home), "SPOT_OA_AUTHOR": "ann"}


def spot_oa(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments],
        check=False,
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_notebooks_are_made_listed_and_renewed(home: Path) -> None:
    folder = home / "ipynb/flow/20160708"
    done = spot_oa(home, "notebooks", "list", "flow", *DAY)
    assert "no notebooks: run `spot-oa notebooks render flow --date" in done.stdout
    done = spot_oa(home, "notebooks", "render", "flow", *DAY)
    assert (done.returncode, done.stdout.count("written: ")) == (0, 3)
    assert len(list(folder.iterdir())) == 3
    copy = folder / "Edge_Investigation.ipynb"
    notebook = json.loads(copy.read_text("utf-8"))
    notebook["cells"][0]["source"] = "# mine"
    copy.write_text(json.dumps(notebook))
    listed = spot_oa(home, "notebooks", "list", "flow", *DAY).stdout.splitlines()
    assert [line.partition("  ")[0] for line in listed] == [
        "Advanced_Mode: version 1, untouched",
        "Edge_Investigation: version 1, edited or run",
        "Threat_Investigation: version 1, untouched",
    ]
    done = spot_oa(home, "notebooks", "update", "flow", *DAY, "--name", "Edge_Investigation")
    assert (done.returncode, done.stdout) == (0, f"written: {copy}\n")
    assert len(list(folder.glob("*.bak.ipynb"))) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["notebooks", "render", "nosuch", *DAY], 2, "pipeline 'nosuch' is unknown"),
        (["notebooks", "update", "flow", *DAY, "--name", "X"], 2, "'X' has no template"),
        (["notebook", "dns"], 2, "no day of dns is published yet: run `spot-oa run dns"),
        (["notebook", "flow", "--date", "8.7.2016"], 2, "8.7.2016"),
    ],
)
def test_what_cannot_be_is_one_line(home: Path, arguments: list[str], code: int, told: str) -> None:
    done = spot_oa(home, *arguments)
    assert done.returncode == code
    (line,) = done.stderr.splitlines()
    assert told in line


def test_jupyterlab_opens_on_the_day_for_this_machine_with_a_token(home: Path) -> None:
    log = home / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [SCRIPT, "notebook", "flow", *DAY, "--no-browser", "--port", "18888"],
            cwd=home,
            env=environment(home),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as server,
    ):
        try:
            url = _url(log, server)
            assert re.fullmatch(
                r"http://127\.0\.0\.1:\d+/lab/tree/flow/20160708/Edge_Investigation\.ipynb"
                r"\?token=[0-9a-f]{48}",
                url,
            )
            origin, _, rest = url.partition("/lab/")
            token = rest.partition("?token=")[2]
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(f"{origin}/api/contents", timeout=10)
            with urllib.request.urlopen(f"{origin}/lab?token={token}", timeout=30) as page:
                text = page.read().decode()
            assert json.loads(re.search(r'"news": (\{[^}]*\})', text)[1]) == {"disabled": True}
        finally:
            os.killpg(server.pid, signal.SIGINT)
            try:
                code = server.wait(30)
            finally:
                if server.poll() is None:
                    os.killpg(server.pid, signal.SIGKILL)
    assert code == 0
    assert "Traceback" not in log.read_text("utf-8", "replace")


def _url(log: Path, server: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+/lab/tree\S+", log.read_text("utf-8", "replace"))
        if found:
            return found[0]
        time.sleep(0.2)
    raise AssertionError(log.read_text("utf-8", "replace"))
