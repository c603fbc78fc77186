"""A disk that fills up in the middle of a run: one clear line, the old day stays, a rerun does it.

The disk is a small tmpfs of our own where we may mount one, else the process may write no large
files any more.
"""

from __future__ import annotations

import errno
import resource
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from spot_oa.demo import DEMO_DATES
from tests.support.disturbed import NEW, leftovers
from tests.support.published import digests
from tests.support.warm import Process, Warm

FIRST, _ = DEMO_DATES


@dataclass(frozen=True)
class Full:
    """Where and when there is no room any more."""

    step: str
    """The step that finds no room."""
    after: str
    """The step whose end is waited for; none if there is no room from the start."""
    pipeline: str
    limit: int
    room: int
    """Bytes that are left."""


CASES = [
    Full("land", "", "flow", 30_000, 300_000),
    # So many that they do not fit into what a run before has left free in the warehouse.
    Full("dbt build", "reputation", "dns", 100_000, 0),
    # Only what is published is on that disk.
    Full("publish", "", "proxy", NEW, 20_000),
]


@pytest.fixture(params=["tmpfs", "limit"])
def disk(request: pytest.FixtureRequest, moments: int, tmp_path: Path) -> Iterator[Disk]:
    root = tmp_path / "disk"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256m", "spot-oa-test", str(root)]
    mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        if request.param == "tmpfs" and not mounted:
            pytest.skip("may not mount a tmpfs: a limit on file sizes stands for it")
        if request.param == "limit" and mounted and moments < 3:
            pytest.skip("a tmpfs shows it; --moments 3 shows both")
        yield Disk(root, request.param == "tmpfs")
    finally:
        if mounted:
            # Helpers of a run that is over may still be at home there.
            subprocess.run(["umount", "--lazy", str(root)], check=True)


@dataclass(frozen=True)
class Disk:
    """A folder where room can be taken away."""

    root: Path
    is_small: bool

    def fill(self, room: int, run: Process | None) -> None:
        """Leave so much room, or let the run write no larger files."""
        if self.is_small:
            ballast = self.root / "ballast"
            try:
                ballast.write_bytes(bytes(max(0, shutil.disk_usage(self.root).free - room)))
            except OSError as error:
                # The run has taken some of it meanwhile: the disk is full all the same.
                if error.errno != errno.ENOSPC or room:
                    raise
        elif run:
            # Less than what a file has already would tear what is overwritten: no disk does that.
            most = max(file.stat().st_size for file in self.root.rglob("*") if file.is_file())
            resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (most + room, most + room))

    def free(self) -> None:
        (self.root / "ballast").unlink(missing_ok=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.step)
def test_a_full_disk(home: Path, runs: Warm, disk: Disk, case: Full) -> None:
    if case.step == "publish" and not disk.is_small:
        pytest.skip("what is published is smaller than the warehouse")
    if case.step == "publish":
        data = disk.root / "data"
        shutil.move(home / "data", data)
    else:
        shutil.move(home, disk.root / "home")
        home = disk.root / "home"
        data = home / "data"
    if case.limit > NEW:
        results = next((home / "ml" / case.pipeline).glob(f"*/{FIRST:%Y%m%d}/scores/*.csv"))
        results.write_bytes(results.read_bytes() * (case.limit // 100))
    day = data / case.pipeline / f"{FIRST:%Y%m%d}"
    old = digests(day)
    arguments = ["run", case.pipeline, "--date", str(FIRST), "--limit", str(case.limit)]

    if disk.is_small and not case.after:
        disk.fill(case.room, None)
    run = runs.start(home, *arguments, SPOT_OA_DATA_DIR=str(data))
    if case.after:
        assert run.until(f": {case.after}: ")
    if case.after or not disk.is_small:
        disk.fill(case.room, run)
    code = run.wait()
    output, errors = run.out.read_text("utf-8"), run.err.read_text("utf-8")
    print(errors)
    assert code == 1, (output, errors)
    assert errors.startswith("spot-oa: ")
    assert errors.count("\n") == 1
    assert "No space left on device" in errors or not disk.is_small
    assert f": {case.step}: " not in output
    assert digests(day) == old

    disk.free()
    code, output, errors = runs.run(home, *arguments, SPOT_OA_DATA_DIR=str(data))
    assert (code, errors) == (0, "")
    assert digests(day) != old
    assert leftovers(home, data) == []
