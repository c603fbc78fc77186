"""An interrupt that meets a query of DuckDB is still an interrupt.

What DuckDB makes of a real one is tried by the tests that interrupt whole runs.
"""

from __future__ import annotations

import subprocess
import sys

import duckdb
import pytest

from flows.cli.app import is_interrupt
from spot_oa.warehouse.duckdb.parquet import interrupts


@pytest.mark.parametrize(
    "error",
    [RuntimeError("Query interrupted"), duckdb.InterruptException("INTERRUPT Error: Interrupted!")],
)
def test_an_interrupted_query_is_an_interrupt(error: Exception) -> None:
    with pytest.raises(KeyboardInterrupt), interrupts():
        raise error


def test_an_interrupt_while_rows_are_handed_over_is_one() -> None:
    class Interrupted:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            raise KeyboardInterrupt

    with duckdb.connect() as connection, pytest.raises(KeyboardInterrupt), interrupts():
        connection.register("rows", Interrupted())


def test_any_other_error_is_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="else"), interrupts():
        raise RuntimeError("something else")


def test_an_interrupt_that_an_import_made_an_error_of_is_one() -> None:
    error = ImportError("Encountered an error while initializing the extension.")
    error.__cause__ = KeyboardInterrupt()
    assert is_interrupt(error)
    assert not is_interrupt(ImportError("no module named that"))


def test_an_interrupt_that_a_finalizer_meets_is_not_lost() -> None:
    script = (
        "import signal, sys, time\n"
        "from flows.cli.app import not_lost\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        "sys.unraisablehook = not_lost\n"
        "class Last:\n"
        "    def __del__(self): raise KeyboardInterrupt\n"
        "try:\n"
        "    Last()\n"
        "    time.sleep(30)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
