"""Files and folders that may not be read or written: one line that names them, the old day stays.

Root may read everything. So root runs this module once more without that privilege.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.run.runner import run_day
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.errors import SpotOaError
from spot_oa.settings import Settings, load_settings
from tests.support.project import PROJECT
from tests.support.published import digests
from tests.support.report import Told

FIRST, _ = DEMO_DATES
DROP = "-dac_override,-dac_read_search"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    file = tmp_path_factory.mktemp("may") / "file"
    file.touch(mode=0)
    if os.access(file, os.R_OK):
        pytest.skip("root may read everything: see the test that runs this module without it")
    home = tmp_path_factory.mktemp("permissions")
    generate(home, pipelines=("flow",), rows_per_day=200, suspicious=20)
    settings = load_settings(home=home)
    run_day(settings, "flow", FIRST, Told())
    return settings


def _results(settings: Settings) -> Path:
    return next(Path(settings.ml_uri).glob(f"flow/*/{FIRST:%Y%m%d}/scores/*.csv"))


def _telemetry(settings: Settings) -> Path:
    day = Path(settings.raw_uri) / "flow" / f"y={FIRST.year}" / f"m={FIRST.month}"
    return next((day / f"d={FIRST.day}").glob("*/*.parquet"))


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


@pytest.mark.parametrize(
    ("find", "bits"),
    [
        (_results, 0),
        (lambda s: _results(s).parent, 0),
        (_telemetry, 0),
        (lambda s: _telemetry(s).parent, 0),
        (lambda s: _telemetry(s).parent.parent, 0),
        (lambda s: s.context_dir, 0),
        (lambda s: s.context_dir / "iploc.csv", 0),
        (lambda s: s.context_dir / "networkcontext.csv", 0),
        (lambda s: s.context_dir / "reputation", 0),
        (lambda s: next((s.context_dir / "reputation").glob("*.csv")), 0),
        (lambda s: s.warehouse, 0o400),
        (lambda s: s.data_dir / "flow", 0o500),
    ],
    ids=[
        "results", "scores", "parquet", "hour", "day", "context", "iploc", "networkcontext",
        "reputation", "feed", "warehouse", "data",
    ],
)  # fmt: skip
def test_what_may_not_be_used_is_named(
    settings: Settings, find: Callable[[Settings], Path], bits: int
) -> None:
    path = find(settings)
    day = settings.data_dir / "flow" / f"{FIRST:%Y%m%d}"
    before = digests(day)
    with mode(path, bits), pytest.raises(SpotOaError) as caught:
        run_day(settings, "flow", FIRST, Told())
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert digests(day) == before


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="the tests above ran")
def test_root_without_its_privilege() -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not here")
    tests = [str(Path(__file__)), "tests/unit/enrichers/test_context_files.py"]
    tests += ["tests/integration/test_landing_into_the_warehouse.py"]
    chosen = "may_not_be or unreadable"
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-rs"]
    done = subprocess.run(
        ["setpriv", f"--bounding-set={DROP}", f"--inh-caps={DROP}", *command, *tests, "-k", chosen],
        check=False,
        capture_output=True,
        text=True,
        cwd=PROJECT,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert "skipped" not in done.stdout
