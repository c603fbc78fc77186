"""An interrupt that meets a query of DuckDB is still an interrupt."""

from __future__ import annotations

import os
import signal
import threading

import duckdb
import pytest

from spot_oa.warehouse.parquet import interrupts

ENDLESS = (
    "select count(*) from range(1000000000) a, range(1000000000) b where a.range * b.range = -1"
)


def test_an_interrupted_query_is_an_interrupt() -> None:
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), interrupts(), duckdb.connect(":memory:") as connection:
        connection.execute(ENDLESS).fetchall()


def test_any_other_error_is_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="else"), interrupts():
        raise RuntimeError("something else")
