"""An interrupt that meets a query of DuckDB is still an interrupt."""

from __future__ import annotations

import subprocess
import sys

import pytest

from spot_oa.warehouse.parquet import interrupts

# In a process of its own: this one may have been started with interrupts ignored.
INTERRUPTED = """
import os, signal, threading
import duckdb
from spot_oa.warehouse.parquet import interrupts

signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
endless = "select count(*) from range(1000000000) a, range(99999999) b where a.range * b.range < 0"
try:
    with interrupts(), duckdb.connect(":memory:") as connection:
        connection.execute(endless).fetchall()
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupted_query_is_an_interrupt() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


def test_any_other_error_is_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="else"), interrupts():
        raise RuntimeError("something else")
