from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spot_oa.errors import WarehouseError
from spot_oa.lock import warehouse_lock

HOLD = """
import sys, time
from pathlib import Path
from spot_oa.lock import warehouse_lock
with warehouse_lock(Path(sys.argv[1]), "run flow 2016-07-08", 5, print):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(warehouse: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(warehouse), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_run_waits_and_says_for_whom(tmp_path: Path) -> None:
    warehouse = tmp_path / "w.duckdb"
    notes: list[str] = []
    with hold(warehouse, 1) as other, warehouse_lock(warehouse, "run dns", 30, notes.append):
        assert other.poll() is not None or other.wait(5) == 0
    assert len(notes) == 1
    assert f"waiting for run flow 2016-07-08 (process {other.pid})" in notes[0]


def test_waiting_ends_with_a_transient_error(tmp_path: Path) -> None:
    warehouse = tmp_path / "w.duckdb"
    with hold(warehouse, 60) as other:
        with (
            pytest.raises(WarehouseError, match=r"still used by run flow .* after 0.2 s") as caught,
            warehouse_lock(warehouse, "run dns", 0.2, lambda _: None),
        ):
            pass
        other.kill()
    assert caught.value.transient


def test_a_killed_run_lets_go(tmp_path: Path) -> None:
    warehouse = tmp_path / "w.duckdb"
    with hold(warehouse, 60) as other:
        os.kill(other.pid, signal.SIGKILL)
    begin = time.monotonic()
    with warehouse_lock(warehouse, "run dns", 30, lambda _: None):
        assert time.monotonic() - begin < 5


def test_a_folder_that_cannot_be_made_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lock = warehouse_lock(tmp_path / "file" / "w.duckdb", "run", 1, lambda _: None)
    with pytest.raises(WarehouseError, match="cannot lock it") as caught, lock:
        pass
    assert "\n" not in str(caught.value)
