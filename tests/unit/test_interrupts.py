"""An interrupt that meets a query of DuckDB is still an interrupt.

What DuckDB makes of a real one is tried by the tests that interrupt whole runs.
"""

from __future__ import annotations

import duckdb
import pytest

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
