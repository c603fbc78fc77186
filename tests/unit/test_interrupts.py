"""An interrupt that meets a query of DuckDB is still an interrupt.

What DuckDB makes of a real one is tried by the tests that interrupt whole runs.
"""

from __future__ import annotations

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


def test_any_other_error_is_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="else"), interrupts():
        raise RuntimeError("something else")


def test_an_interrupt_that_an_import_made_an_error_of_is_one() -> None:
    error = ImportError("Encountered an error while initializing the extension.")
    error.__cause__ = KeyboardInterrupt()
    assert is_interrupt(error)
    assert not is_interrupt(ImportError("no module named that"))
